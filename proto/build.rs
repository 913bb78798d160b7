//! Compiles the wire contract with protox: no `protoc` is needed, and the core builds without any of it.

fn main() {
    println!("cargo:rerun-if-changed=proto/externalscaler.proto");
    #[cfg(feature = "server")]
    compile();
}

#[cfg(feature = "server")]
fn compile() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let set =
        protox::compile(["externalscaler.proto"], ["proto"]).expect("proto/externalscaler.proto is valid");
    tonic_prost_build::configure()
        .file_descriptor_set_path(out.join("externalscaler.bin"))
        .compile_fds(set)
        .expect("code generation from proto/externalscaler.proto");
}

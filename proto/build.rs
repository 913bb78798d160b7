//! Compiles the wire contract with protox: no `protoc` is needed, and the core builds without any of it.

fn main() {
    println!("cargo:rerun-if-changed=proto/externalscaler.proto");
    #[cfg(feature = "server")]
    compile();
}

#[cfg(feature = "server")]
fn compile() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut compiler = protox::Compiler::new(["proto"]).expect("proto/ is a folder");
    compiler.open_file("externalscaler.proto").expect("proto/externalscaler.proto is valid");
    // The same descriptors answer gRPC reflection.
    std::fs::write(out.join("externalscaler.bin"), compiler.encode_file_descriptor_set())
        .expect("OUT_DIR is writable");
    tonic_prost_build::configure()
        .compile_fds(compiler.file_descriptor_set())
        .expect("code generation from proto/externalscaler.proto");
}

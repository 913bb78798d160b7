//! The wire contract: the generated code next to `proto/externalscaler.proto` is what protox and tonic generate from
//! it.
//!
//! The generated code is committed, so that a build needs no protobuf compiler; `UPDATE=1` regenerates it.

use std::fs;
use std::path::Path;

#[test]
fn the_generated_code_is_that_of_the_contract() {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let made = tempfile::tempdir().expect("a directory");
    let mut compiler = protox::Compiler::new([&proto]).expect("a folder");
    compiler.open_file("externalscaler.proto").expect("valid");
    // gRPC reflection uses the same descriptors.
    fs::write(made.path().join("externalscaler.bin"), compiler.encode_file_descriptor_set())
        .expect("written");
    tonic_prost_build::configure()
        .out_dir(made.path())
        .compile_fds(compiler.file_descriptor_set())
        .expect("code from the descriptors");
    for name in ["externalscaler.rs", "externalscaler.bin"] {
        let (fresh, kept) = (made.path().join(name), proto.join(name));
        if std::env::var_os("UPDATE").is_some() {
            fs::copy(&fresh, &kept).expect("written");
        }
        let read = |path: &Path| fs::read(path).unwrap_or_default();
        assert!(read(&fresh) == read(&kept), "proto/{name} is old: UPDATE=1 cargo test --test it wire");
    }
}

//! The binary: everything is in the library's `cli`.

/// A server keeps thousands of small tables for hours, among large buffers that live for a moment. With 10,000 workloads
/// the allocator of glibc holds a quarter more memory for that, and the one of musl is slow with several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    forescale::cli::run()
}

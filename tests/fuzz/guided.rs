//! Every target for libFuzzer: one program each, which knows by its own name what to try.

#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    targets::try_on(env!("CARGO_BIN_NAME"), &String::from_utf8_lossy(input));
});

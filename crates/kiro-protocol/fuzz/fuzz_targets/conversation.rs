#![no_main]
//! See [`kiro_protocol_fuzz::conversation`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| kiro_protocol_fuzz::conversation::run(input));

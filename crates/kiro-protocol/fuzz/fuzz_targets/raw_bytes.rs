#![no_main]
//! See [`kiro_protocol_fuzz::raw_bytes`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| kiro_protocol_fuzz::raw_bytes::run(input));

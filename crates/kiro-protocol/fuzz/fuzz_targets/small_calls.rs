#![no_main]
//! See [`kiro_protocol_fuzz::small_calls`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| kiro_protocol_fuzz::small_calls::run(input));

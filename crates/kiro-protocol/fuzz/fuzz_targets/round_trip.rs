#![no_main]
//! See [`kiro_protocol_fuzz::round_trip`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| kiro_protocol_fuzz::round_trip::run(input));

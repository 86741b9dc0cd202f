#![no_main]
//! See [`kiro_protocol_fuzz::fixed_crc`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| kiro_protocol_fuzz::fixed_crc::run(input));

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cairn_parsers::run("pkcs8-key", bytes));

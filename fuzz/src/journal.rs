//! Bytes as journals: as they come, as records with sound checks and any content, as whole journals of
//! which one bit was changed. What must hold stands in `lastly_journal::fuzzing`.
//!
//! `cargo xtask fuzz` builds this for libFuzzer; built plainly it does nothing, as the library has that
//! part for the fuzzer only.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lastly_journal::fuzzing::check(bytes));

#[cfg(not(fuzzing))]
fn main() {
    println!("built for the fuzzer by `cargo xtask fuzz`");
}

//! Tells the code which version of the interpreter it is built for, as `cfg(Py_3_13)` and so on.
//! And builds the program `lastly`, of the crate `lastly-guard`, which the Python package brings along.
//!
//! maturin puts a library or programs into a wheel, not both. But it takes in what a build script
//! leaves in its `OUT_DIR`, where pyproject.toml says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What the program is made of, as seen from here: in a checkout as in the source distribution.
const SOURCES: [&str; 6] = [
    WORKSPACE,
    "../Cargo.lock",
    "../crates/guard/Cargo.toml",
    "../crates/guard/src",
    "../crates/journal/Cargo.toml",
    "../crates/journal/src",
];
const WORKSPACE: &str = "../Cargo.toml";

/// maturin sets it; whoever checks, lints or documents the workspace does not, and needs no program.
const FOR_PACKAGE: &str = "PYO3_BUILD_EXTENSION_MODULE";

/// Says where to build the program, for all the CPythons that one machine builds the extension for.
const TARGET_DIR: &str = "LASTLY_GUARD_TARGET_DIR";

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
    println!("cargo::rerun-if-env-changed={FOR_PACKAGE}");
    println!("cargo::rerun-if-env-changed={TARGET_DIR}");
    if env::var_os(FOR_PACKAGE).is_some() {
        for source in SOURCES {
            println!("cargo::rerun-if-changed={source}");
        }
        let out = PathBuf::from(variable("OUT_DIR"));
        let built = build_program(&env::var_os(TARGET_DIR).map_or(out.join("guard"), Into::into));
        fs::copy(built, out.join("lastly")).expect("OUT_DIR can be written");
    }
}

/// Builds it, in a target directory of its own: cargo holds a lock on the one that this runs in.
fn build_program(target_dir: &Path) -> PathBuf {
    let target = variable("TARGET");
    let mut cargo = Command::new(variable("CARGO"));
    cargo.args(["build", "--quiet", "--package", "lastly-guard", "--bin", "lastly"]);
    cargo.args(["--profile", "guard", "--target", &target, "--target-dir"]).arg(target_dir);
    cargo.args(["--manifest-path", WORKSPACE]);
    // maturin's flags are for the extension: for musl, to be linked dynamically.
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = cargo.status().expect("cargo, which runs this, starts");
    assert!(status.success(), "the program `lastly` could not be built: see above");
    target_dir.join(target).join("guard/lastly")
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

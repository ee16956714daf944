//! The program `lastly`: the guard, and the command.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Where it is, as built with this. (Cargo builds for a package's tests that package's programs only.)
///
/// # Panics
///
/// It does not build.
#[must_use]
pub fn lastly() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    &BUILT
}

fn build() -> PathBuf {
    let this = env::current_exe().expect("it is running");
    let mut folders = this.ancestors().skip(1).filter(|folder| !folder.ends_with("deps"));
    let folder = folders.next().and_then(Path::file_name).expect("that of the profile");
    let profile = if folder == "debug" { "dev".as_ref() } else { folder };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "lastly-guard", "--bin", "lastly"])
        .args(["--message-format", "json", "--profile"])
        .arg(profile)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let said = String::from_utf8(built.stdout).expect("JSON");
    let executable = said.split(r#""executable":""#).nth(1).and_then(|it| it.split('"').next());
    executable.expect("a program was built").into()
}

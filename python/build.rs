//! Tells the code which version of the interpreter it is built for, as `cfg(Py_3_13)` and so on.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}

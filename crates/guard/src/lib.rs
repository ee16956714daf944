//! Nothing: the guard is a program, `main.rs`. But only a package with a library can be named as a
//! dependency, and only what is one gets into the source distribution of the Python package, which
//! builds the program.

//! Links the C library, for its `main` and its `memcpy`; std would have asked for it.
fn main() {
    println!("cargo::rustc-link-lib=c");
    println!("cargo::rerun-if-changed=build.rs");
}

//! The pages of docs/ that are generated from code.

use crate::Outcome;

/// Writes them, or with `--check` says which are not what the code says.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    match arguments {
        [] => write(),
        [option] if option == "--check" => check(),
        _ => Err("usage: cargo xtask docs [--check]".to_owned()),
    }
}

/// Fails when a generated page is stale; the mend is `cargo xtask docs`.
pub(crate) fn check() -> Outcome {
    println!("no page is generated yet");
    Ok(())
}

fn write() -> Outcome {
    println!("no page is generated yet");
    Ok(())
}

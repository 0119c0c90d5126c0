//! Inputs that once broke something, by fuzz target: `testdata/regress/TARGET/*`.

use std::fs;
use std::path::Path;

#[expect(unreachable_pub, clippy::expect_used, reason = "as the fuzz targets need it")]
#[path = "../../../fuzz/src/decoders.rs"]
mod decoders;
#[expect(unreachable_pub, clippy::expect_used, reason = "as the fuzz targets need it")]
#[path = "../../../fuzz/src/machines.rs"]
mod machines;

#[test]
fn what_once_broke_a_target_does_not_any_more() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/regress"));
    for (target, run) in decoders::TARGETS.iter().chain(&machines::TARGETS) {
        // There is a folder only for targets that ever broke.
        for input in fs::read_dir(root.join(target)).into_iter().flatten() {
            let path = input.unwrap().path();
            println!("{}", path.display());
            run(&fs::read(path).unwrap());
        }
    }
}

//! A node whose small files are damaged goes on by itself, gives no name again, loses nothing, and says what it did.

use std::collections::BTreeSet;

use crate::life::{logged, measure, node_of_lines, until};
use crate::{done, run};

#[test]
fn a_node_with_damaged_files_goes_on_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, device) = node_of_lines(folder);
    let measure = |lines: &str| measure(folder, &up, lines);
    assert!(!measure("400\n402\n").contains("EDGE-MENDED"));
    // What is finished is forgotten at the next start, and remembered in `counts`.
    measure("403\n");
    let files = ["queue/boot", "queue/identity", "queue/counts", "queue/counts.copy", "status.json"];
    for file in files {
        let path = folder.join("node").join(file);
        assert!(path.is_file(), "{file}");
        std::fs::write(path, "\u{fffd}what a worn out card left").unwrap();
    }
    // Nothing of that stops `status`, also before the node has run again.
    let status = run(folder, "node status --dir node --offline");
    assert!(status.code == 1 && status.stdout.contains("NODE-STOPPED"), "{}{}", status.stdout, status.stderr);
    let said = measure("407\n409\n");
    for file in ["queue/boot", "queue/identity", "queue/counts"] {
        assert!(said.contains("warning[EDGE-MENDED]") && said.contains(file), "{file}: {said}");
    }
    let status = run(folder, "node status --dir node --offline");
    assert_eq!(status.stdout.matches("  mended ").count(), 3, "{}", status.stdout);
    assert!(!measure("410\n").contains("EDGE-MENDED"), "it is mended for good");

    let values = || logged(folder, &up.url, &device);
    until(folder, "a checkpoint", || values().len() == 6);
    assert_eq!(values(), [400, 402, 403, 407, 409, 410]);
    let receipts = done(folder, "node receipts list --dir node");
    let rows = ["receipts", "promised"].iter().flat_map(|kind| receipts[kind].as_array().unwrap());
    let names: Vec<_> = rows.map(|row| (row["boot"].as_u64().unwrap(), row["seq"].as_u64().unwrap())).collect();
    let (count, names) = (names.len(), names.into_iter().collect::<BTreeSet<_>>());
    assert!(names.len() == count && count >= 4, "{receipts}");
    assert!(names.last().unwrap().0 > 1_024, "{names:?}");
}

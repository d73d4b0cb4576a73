use std::fs;
use std::io::Write;

use super::super::tests::{collect, number};
use super::*;

const LOOK: Duration = Duration::from_millis(5);

fn source(path: &Path, mark: Option<Vec<u8>>) -> Box<FileSource> {
    Box::new(FileSource::of(path, number("co2"), true, LOOK, mark.map(Mark::from)))
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Runs a source until it gave so many readings; after each, `then` is told how many there are.
fn follow(
    source: Box<FileSource>,
    until: usize,
    then: impl Fn(usize),
) -> (Vec<i64>, Vec<&'static str>, Option<Vec<u8>>) {
    let stop = Stop::default();
    let (found, ended) = collect(source, &stop, |count| {
        then(count);
        if count == until {
            stop.set()
        }
    });
    assert_eq!(ended, Ended::Stopped);
    let codes = found.troubles().into_iter().filter(|(_, is_over)| !is_over).map(|(code, _)| code).collect();
    (found.values(), codes, found.last_mark())
}

#[test]
fn a_file_is_followed_as_it_grows_is_cut_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    append(&path, "1\n2\n");
    let (values, codes, _) = follow(source(&path, None), 9, |count| match count {
        2 => append(&path, "3\n4"),
        3 => append(&path, "0\n"),
        // Rotated away, with a last line that has no end.
        4 => {
            append(&path, "5");
            fs::rename(&path, folder.path().join("data.csv.1")).unwrap();
            fs::write(&path, "6\n7\n").unwrap();
        }
        // Copied away and cut.
        7 => fs::write(&path, "8\n").unwrap(),
        8 => append(&path, "9\n"),
        _ => {}
    });
    assert_eq!(values, [1, 2, 3, 40, 5, 6, 7, 8, 9]);
    assert!(codes.is_empty(), "{codes:?}");
}

#[test]
fn a_restart_neither_loses_nor_repeats_wherever_it_comes() {
    for rotated in [false, true] {
        for stopped in 1..=5 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("data.csv");
            append(&path, "1\n2\n3\nnot a number\n4\n5\n");
            let (first, _, mark) = follow(source(&path, None), stopped, |_| ());
            if rotated {
                append(&path, "6\n");
                fs::rename(&path, folder.path().join("data.csv.1")).unwrap();
                append(&path, "7\n8\n");
            } else {
                append(&path, "6\n7\n8\n");
            }
            let (second, codes, _) = follow(source(&path, mark), 8 - stopped, |_| ());
            assert_eq!([first, second].concat(), [1, 2, 3, 4, 5, 6, 7, 8], "stopped at {stopped}, {rotated}");
            assert!(!codes.contains(&GAP));
        }
    }
}

#[test]
fn lines_that_are_gone_are_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    append(&path, "1\n2\n");
    let (_, _, mark) = follow(source(&path, None), 2, |_| ());
    fs::remove_file(&path).unwrap();
    append(&path, "7\n8\n9\n");
    let (values, codes, _) = follow(source(&path, mark), 3, |_| ());
    assert_eq!((values.as_slice(), codes.as_slice()), (&[7, 8, 9][..], &[GAP][..]));
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for_and_an_old_one_is_read_from_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    let stop = Stop::default();
    let later = path.clone();
    let (found, _) = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            append(&later, "1\n");
        });
        collect(source(&path, None), &stop, |_| stop.set())
    });
    assert_eq!(found.values(), [1]);
    let from_end = Box::new(FileSource::of(&path, number("co2"), false, LOOK, None));
    let stop = Stop::default();
    let (found, _) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.is_set() {
                std::thread::sleep(Duration::from_millis(30));
                append(&path, "2\n");
            }
        });
        collect(from_end, &stop, |_| stop.set())
    });
    assert_eq!(found.values()[0], 2);
}

//! The rows of a recording again, as they stand in the file, each with what is said of it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::RowVerdict;
use crate::dataset::{Dataset, unzipped};
use crate::failure::Failure;
use crate::output::Output;

/// Why the rows could not be printed.
enum Stopped {
    Reading(io::Error),
    Writing(io::Error),
    /// The file is not the one that was judged.
    Changed,
}

/// Reads the file again and prints its good rows with their verdicts: CSV, or one JSON array.
///
/// # Errors
/// When the file cannot be read, has changed, or standard output is closed.
pub fn print(path: &Path, dataset: &Dataset, verdicts: &[RowVerdict], output: Output) -> Result<(), Failure> {
    let printed = File::open(path).map_err(Stopped::Reading).and_then(|file| {
        let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        if output.json { print_json(file, dataset, verdicts, out) } else { print_csv(file, dataset, verdicts, out) }
    });
    printed.map_err(|stopped| match stopped {
        Stopped::Reading(error) => Failure::io("read", path, &error),
        Stopped::Writing(error) => Failure::failed("NET-STDOUT", format!("cannot write to standard output: {error}")),
        Stopped::Changed => {
            Failure::failed("NET-DATASET-CHANGED", format!("{} changed while it was judged", path.display()))
                .hint("run the command again")
        }
    })
}

/// Hands the header and every good row with its verdict to `write`.
fn each_row(
    file: File,
    dataset: &Dataset,
    verdicts: &[RowVerdict],
    mut write: impl FnMut(&ByteRecord, Option<(u64, RowVerdict)>) -> io::Result<()>,
) -> Result<(), Stopped> {
    let input = unzipped(BufReader::new(file)).map_err(Stopped::Reading)?;
    let mut csv = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut record = ByteRecord::new();
    let mut read =
        |record: &mut ByteRecord| csv.read_byte_record(record).map_err(|error| Stopped::Reading(error.into()));
    read(&mut record)?;
    write(&record, None).map_err(Stopped::Writing)?;
    let mut due = dataset.readings.iter().map(|row| row.line).zip(verdicts).peekable();
    while read(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        // What stands between the good rows was reported when it was read first.
        if let Some((line, verdict)) = due.next_if(|(good, _)| *good == line) {
            write(&record, Some((line, *verdict))).map_err(Stopped::Writing)?;
        }
    }
    if due.peek().is_some() { Err(Stopped::Changed) } else { Ok(()) }
}

fn print_csv(file: File, dataset: &Dataset, verdicts: &[RowVerdict], out: impl Write) -> Result<(), Stopped> {
    let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(out);
    each_row(file, dataset, verdicts, |record, judged| {
        let mut row = record.clone();
        match judged {
            None => ["verdict", "score_ppm", "reasons"].iter().for_each(|name| row.push_field(name.as_bytes())),
            Some((_, verdict)) => {
                row.push_field(verdict.outcome.as_str().as_bytes());
                row.push_field(verdict.score_ppm.to_string().as_bytes());
                row.push_field(verdict.codes().collect::<Vec<_>>().join(" ").as_bytes());
            }
        }
        csv.write_byte_record(&row).map_err(io::Error::from)
    })?;
    csv.flush().map_err(Stopped::Writing)
}

/// A row as a JSON object: its line, its columns as text, and what is said of it.
struct JsonRow<'a> {
    line: u64,
    names: &'a [String],
    record: &'a ByteRecord,
    verdict: RowVerdict,
}

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("line", &self.line)?;
        for (name, value) in self.names.iter().zip(self.record) {
            map.serialize_entry(name, &String::from_utf8_lossy(value))?;
        }
        map.serialize_entry("verdict", self.verdict.outcome.as_str())?;
        map.serialize_entry("score_ppm", &self.verdict.score_ppm)?;
        map.serialize_entry("reasons", &self.verdict.codes().collect::<Vec<_>>())?;
        map.end()
    }
}

fn print_json(file: File, dataset: &Dataset, verdicts: &[RowVerdict], mut out: impl Write) -> Result<(), Stopped> {
    let (mut names, mut before) = (Vec::new(), "[\n");
    each_row(file, dataset, verdicts, |record, judged| {
        let Some((line, verdict)) = judged else {
            let name = |bytes| String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}').trim().to_owned();
            names = record.iter().map(name).collect();
            return Ok(());
        };
        out.write_all(before.as_bytes())?;
        before = ",\n";
        serde_json::to_writer(&mut out, &JsonRow { line, names: &names, record, verdict }).map_err(io::Error::from)
    })?;
    let end = if before == "[\n" { "[]\n" } else { "\n]\n" };
    out.write_all(end.as_bytes()).and_then(|()| out.flush()).map_err(Stopped::Writing)
}

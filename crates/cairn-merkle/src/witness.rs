//! The texts of C2SP `tlog-witness`: what a log asks of a witness, what the witness answers, and histories of what
//! witnesses cosigned.
//!
//! Parsing proves nothing: a witness opens the checkpoint with the log's key and checks the proof, a log opens the
//! answer with the witness's key. Every text has one form: what parses prints the same.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_core::Hash;

use crate::MerkleError;
use crate::checkpoint::{parse_decimal, parse_hash};
use crate::note::{Note, NoteSignature, SIGNATURES_MAX};

/// The most hashes of a consistency proof in a request.
pub const PROOF_HASHES_MAX: usize = 63;
/// The longest request, in bytes: room for a proof and a checkpoint with all the signatures that a note may have.
pub const REQUEST_BYTES_MAX: usize = 256 << 10;
/// The media type of the size with which a witness answers 409.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// Begins each signature line of a note; no checkpoint line begins so, since origins have no spaces.
const SIGNATURE_START: &str = "\u{2014} ";

/// The name by which a witness serves what it knows of a log: SHA-256 of the origin, hexadecimal.
#[must_use]
pub fn log_id(origin: &str) -> String {
    Hash::of(origin.as_bytes()).to_hex()
}

/// The body of `POST add-checkpoint`; shown and parsed as that body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness cosigned last, as the log believes; 0 if never.
    pub old: u64,
    /// The consistency proof from that size to the checkpoint's, at most 63 hashes; empty if `old` is 0.
    pub proof: Vec<Hash>,
    /// The checkpoint, signed by its log and perhaps by others.
    pub note: Note,
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash.0)))?;
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for AddCheckpoint {
    type Err = MerkleError;

    fn from_str(body: &str) -> Result<Self, MerkleError> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(refuse("it is longer than 256 KiB"));
        }
        // The head holds no blank line, the checkpoint does.
        let (head, note) = body.split_once("\n\n").ok_or(refuse("no blank line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| parse_decimal(line.strip_prefix("old ")?));
        let old = old.ok_or(refuse("the first line is not `old` and a decimal number"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_HASHES_MAX {
                return Err(refuse("the proof has more than 63 hashes"));
            }
            proof.push(parse_hash(line).ok_or(refuse("a line of the proof is not the base64 of 32 bytes"))?);
        }
        Ok(Self { old, proof, note: note.parse()? })
    }
}

/// The body of a witness's answer 200: one line for each signature.
#[must_use]
pub fn print_lines(lines: &[NoteSignature]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Reads the body of a witness's answer 200: 1 to 64 signature lines, none of them verified.
///
/// # Errors
/// [`MerkleError::Witness`] or [`MerkleError::Note`] if it is anything else.
pub fn parse_lines(body: &str) -> Result<Vec<NoteSignature>, MerkleError> {
    let body = body.strip_suffix('\n').ok_or(refuse("the answer does not end in a newline"))?;
    if body.split('\n').count() > SIGNATURES_MAX {
        return Err(refuse("the answer has more than 64 lines"));
    }
    body.split('\n').map(str::parse).collect()
}

/// The body of a witness's answer 409: the size that it cosigned last.
#[must_use]
pub fn print_size(size: u64) -> String {
    format!("{size}\n")
}

/// Reads the body of a witness's answer 409.
///
/// # Errors
/// [`MerkleError::Witness`] if it is not a decimal number and a newline.
pub fn parse_size(body: &str) -> Result<u64, MerkleError> {
    let size = body.strip_suffix('\n').and_then(parse_decimal);
    size.ok_or(refuse("the size is not a decimal number and a newline"))
}

/// Reads a history: signed checkpoints, one after the other without anything between them.
///
/// # Errors
/// [`MerkleError::Witness`] or [`MerkleError::Note`] if it is anything else.
pub fn parse_history(text: &str) -> Result<Vec<Note>, MerkleError> {
    let mut notes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (_, signatures) = rest.split_once("\n\n").ok_or(refuse("a checkpoint of the history is cut short"))?;
        let start = rest.len() - signatures.len();
        let mut end = start;
        for line in signatures.split_inclusive('\n').take_while(|line| line.starts_with(SIGNATURE_START)) {
            end += line.len();
        }
        notes.push(rest[..end].parse()?);
        rest = &rest[end..];
    }
    Ok(notes)
}

/// The most bytes of a history that is read: about five years of a cosigned checkpoint a minute.
pub const HISTORY_BYTES_MAX: u64 = 1 << 30;
/// What a page of a long history holds at least, in bytes; those who serve one fill a page with a thousand checkpoints.
const PAGE_BYTES_LEAST: u64 = 128 << 10;
/// So many pages may hold less: the last one, and those that come while the history grows.
const SHORT_PAGES_MAX: u64 = 16;

/// What a history that somebody serves may cost its reader, who trusts nobody: bytes in all, and requests for them.
#[derive(Debug, Clone, Copy, Default)]
pub struct HistoryBudget {
    pages: u64,
    bytes: u64,
}

impl HistoryBudget {
    /// Counts a page.
    ///
    /// # Errors
    /// [`MerkleError::Witness`] if the history has more than [`HISTORY_BYTES_MAX`], or comes in crumbs.
    pub fn take(&mut self, page_bytes: usize) -> Result<(), MerkleError> {
        self.pages += 1;
        self.bytes = self.bytes.saturating_add(page_bytes as u64);
        if self.bytes > HISTORY_BYTES_MAX {
            return Err(refuse("the history is longer than any that is read"));
        }
        if self.pages > SHORT_PAGES_MAX + self.bytes / PAGE_BYTES_LEAST {
            return Err(refuse("the history comes in pages of next to nothing"));
        }
        Ok(())
    }
}

const fn refuse(reason: &'static str) -> MerkleError {
    MerkleError::Witness { reason }
}

#[cfg(test)]
mod tests {
    use cairn_core::ed25519::SigningKey;
    use proptest::prelude::*;

    use super::*;

    /// After how many pages of these sizes, over and over, a reader has enough.
    fn pages_read(sizes: &[usize]) -> usize {
        let mut budget = HistoryBudget::default();
        sizes.iter().cycle().take(20_000).take_while(|bytes| budget.take(**bytes).is_ok()).count()
    }

    #[test]
    fn a_history_costs_its_reader_a_bounded_number_of_bytes_and_requests() {
        assert_eq!(pages_read(&[0]), 16);
        assert_eq!(pages_read(&[300]), 16);
        assert_eq!(pages_read(&[64 << 10]), 32, "half of what a page holds at least");
        assert_eq!(pages_read(&[1 << 20]), 1 << 10);
        assert_eq!(pages_read(&[250_000]), (1 << 30) / 250_000, "a thousand checkpoints a page");
        assert_eq!(pages_read(&[usize::MAX]), 0);
    }
    use crate::{Checkpoint, Cosigner, NoteSigner};

    /// The examples of the specification.
    const REQUEST: &str = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";
    const ANSWER: &str = "\
        \u{2014} witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==\n\
        \u{2014} witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+UfzuOBMh9ChdMkP1vi/lCAsmlw==\n\
        \u{2014} witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==\n";

    #[test]
    fn the_examples_of_the_specification_read_and_print_the_same() {
        let request: AddCheckpoint = REQUEST.parse().unwrap();
        assert_eq!((request.old, request.proof.len(), request.note.signatures().len()), (20_852_014, 4, 2));
        let checkpoint: Checkpoint = request.note.text().parse().unwrap();
        assert_eq!((checkpoint.origin(), checkpoint.size()), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(request.to_string(), REQUEST);
        let lines = parse_lines(ANSWER).unwrap();
        assert_eq!(
            lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>()[1..],
            ["witness.example/w1", "witness.example/w2"]
        );
        assert!(lines.iter().all(|line| line.bytes.len() == 72));
        assert_eq!(print_lines(&lines), ANSWER);
    }

    #[test]
    fn a_request_has_exactly_one_text() {
        let note = &REQUEST[REQUEST.find("\n\n").unwrap() + 2..];
        let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
        for good in [format!("old 0\n\n{note}"), format!("old 7\n{}\n{note}", hash.repeat(63))] {
            assert_eq!(good.parse::<AddCheckpoint>().unwrap().to_string(), good);
        }
        for (bad, code) in [
            (String::new(), "LOG-WITNESS"),
            ("old 0\n\n".to_owned(), "LOG-NOTE"),
            (format!("old 0\n{note}"), "LOG-WITNESS"),
            (format!("old 00\n\n{note}"), "LOG-WITNESS"),
            (format!("old -1\n\n{note}"), "LOG-WITNESS"),
            (format!("old  1\n\n{note}"), "LOG-WITNESS"),
            (format!("old 18446744073709551616\n\n{note}"), "LOG-WITNESS"),
            (format!("new 1\n\n{note}"), "LOG-WITNESS"),
            (format!("\n\n{note}"), "LOG-WITNESS"),
            (format!("old 7\n{}\n{note}", hash.repeat(64)), "LOG-WITNESS"),
            (format!("old 7\n{}\n\n{note}", &hash[..40]), "LOG-WITNESS"),
            (format!("old 7\r\n\n{note}"), "LOG-WITNESS"),
            (format!("old 7\n\n{}", &note[..note.len() - 1]), "LOG-NOTE"),
            (format!("old 7\n\n{note}\n"), "LOG-NOTE"),
            (format!("old 7\n\n{}", "x".repeat(REQUEST_BYTES_MAX)), "LOG-WITNESS"),
        ] {
            let shown: String = bad.chars().take(80).collect();
            assert_eq!(bad.parse::<AddCheckpoint>().unwrap_err().code(), code, "{shown:?}");
        }
    }

    #[test]
    fn a_size_and_an_answer_have_exactly_one_text() {
        for size in [0, 1, 50, u64::MAX] {
            assert_eq!(parse_size(&print_size(size)).unwrap(), size);
        }
        for bad in ["", "\n", "50", "050\n", "50\n\n", "+5\n", " 5\n", "18446744073709551616\n", "5\r\n"] {
            assert_eq!(parse_size(bad).unwrap_err().code(), "LOG-WITNESS", "{bad:?}");
        }
        let line = ANSWER.split_inclusive('\n').next().unwrap();
        assert_eq!(parse_lines(&line.repeat(64)).unwrap().len(), 64);
        for bad in ["", "\n", &line[..line.len() - 1], &line.repeat(65), &format!("{line}\n"), "text\n"] {
            assert!(parse_lines(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_history_is_its_checkpoints_one_after_the_other() {
        let log = NoteSigner::new("log.example", SigningKey::from_seed([1; 32])).unwrap();
        let witness = Cosigner::new("witness.example", SigningKey::from_seed([2; 32])).unwrap();
        let notes: Vec<Note> = (0..5)
            .map(|size| {
                let checkpoint = Checkpoint::new("log.example", size, Hash::ZERO).unwrap();
                let lines = vec![witness.cosign(&checkpoint, size).unwrap(); usize::try_from(size % 3).unwrap()];
                checkpoint.sign(&log, &lines).unwrap()
            })
            .collect();
        let text: String = notes.iter().map(Note::to_string).collect();
        assert_eq!(parse_history(&text).unwrap(), notes);
        assert!(parse_history("").unwrap().is_empty());
        for bad in [&text[..text.len() - 1], &text[1..], &format!("{text}\n"), &format!("{text}log.example\n")] {
            if let Ok(read) = parse_history(bad) {
                assert_ne!(read, notes);
            }
        }
        assert!(parse_history(&text[..text.len() - 1]).is_err());
        assert!(parse_history(&format!("{text}\n")).is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_parses_prints_the_same(
            text in "(old |0|7|\u{2014} |[a-z+=\n ]|\n\n|AAAA|PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n){0,20}",
        ) {
            if let Ok(request) = text.parse::<AddCheckpoint>() {
                prop_assert_eq!(request.to_string(), text.clone());
            }
            if let Ok(lines) = parse_lines(&text) {
                prop_assert_eq!(print_lines(&lines), text.clone());
            }
            if let Ok(notes) = parse_history(&text) {
                prop_assert_eq!(notes.iter().map(Note::to_string).collect::<String>(), text);
            }
        }
    }
}

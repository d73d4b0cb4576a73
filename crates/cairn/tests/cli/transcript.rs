//! Running the binary, and writing down what it did.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::masks::Masks;
pub use crate::ran::{Ran, cairn};

/// The package's folder.
pub fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a text with its golden file, or writes that.
pub fn golden(path: &Path, found: &str) {
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, found).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    let differing = found.lines().zip(expected.lines()).enumerate().find(|(_, (found, expected))| found != expected);
    if let Some((line, (found, expected))) = differing {
        panic!("{} line {}:\n  golden {expected}\n  found  {found}", path.display(), line + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "lines of {}", path.display());
}

/// What was typed at a terminal and what came back, written down.
pub struct Transcript {
    pub folder: PathBuf,
    pub url: String,
    pub masks: Masks,
    text: String,
}

impl Transcript {
    /// Nothing typed yet, in a folder.
    pub fn of(folder: &Path) -> Self {
        let masks = Masks::of(folder);
        Self { folder: folder.to_owned(), url: "http://127.0.0.1:9".to_owned(), masks, text: String::new() }
    }

    /// Runs a command and writes it down.
    pub fn run(&mut self, arguments: &str) -> Ran {
        self.feed(arguments, "")
    }

    /// Runs a command on this standard input and writes it down. Arguments are separated by spaces.
    pub fn feed(&mut self, arguments: &str, stdin: &str) -> Ran {
        let split: Vec<&str> = arguments.split(' ').collect();
        let ran = cairn(&self.folder, &self.url, &split, stdin);
        self.text.push_str(&format!("$ cairn {}\n", self.masks.hide(arguments)));
        for (name, said) in [("", &ran.stdout), ("! ", &ran.stderr)] {
            for line in self.masks.hide(said).lines() {
                self.text.push_str(format!("{name}{line}").trim_end());
                self.text.push('\n');
            }
        }
        self.text.push_str(&format!("[exit {}]\n\n", ran.code));
        ran
    }

    /// Runs a command with `--json`, and writes down the names that its one document has.
    pub fn json(&mut self, arguments: &str, stdin: &str) -> (Value, i32) {
        let mut split: Vec<&str> = arguments.split(' ').collect();
        split.push("--json");
        let ran = cairn(&self.folder, &self.url, &split, stdin);
        let document: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("cairn {arguments} --json: {error}\n{}\n{}", ran.stdout, ran.stderr));
        self.text.push_str(&format!("$ cairn {} --json\n", self.masks.hide(arguments)));
        self.text.push_str(&shape(&document, 1));
        self.text.push_str(&format!("[exit {}]\n\n", ran.code));
        (document, ran.code)
    }

    /// Writes down something that was done besides.
    pub fn note(&mut self, what: &str) {
        self.text.push_str(&format!("# {what}\n\n"));
    }

    /// Compares the transcript with its golden file.
    pub fn compare(&self, name: &str) {
        golden(&package().join("goldens/cli").join(name), &self.text);
    }
}

/// The names in a document, down to the objects of its first list.
fn shape(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let kind = match value {
                    Value::Object(_) => "object",
                    Value::Array(_) => "list",
                    Value::String(_) => "text",
                    Value::Number(_) => "number",
                    Value::Bool(_) => "bool",
                    Value::Null => "null",
                };
                format!("{indent}{name}: {kind}\n{}", if depth < 3 { shape(value, depth + 1) } else { String::new() })
            })
            .collect(),
        Value::Array(items) => items.first().map_or_else(String::new, |first| shape(first, depth)),
        _ => String::new(),
    }
}

//! Links between the project's documents: each leads to a file that is there, and to a heading where it names one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Done, root, wrong};

/// Folders that hold no documents of the project.
const PASSED_OVER: [&str; 4] = ["target", ".git", "cairn-demo", "node_modules"];

/// Checks every Markdown document.
pub fn check() -> Done {
    let documents = documents(&root());
    let mut broken = Vec::new();
    for document in &documents {
        let text = fs::read_to_string(document).unwrap_or_default();
        for target in targets(&text) {
            if !leads_somewhere(document, &text, target) {
                broken.push(format!("{}: {target}", document.strip_prefix(root()).unwrap_or(document).display()));
            }
        }
    }
    if broken.is_empty() {
        println!("{} documents link to what is there", documents.len());
        return Ok(());
    }
    wrong(format!("links that lead nowhere:\n  {}", broken.join("\n  ")))
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if !PASSED_OVER.contains(&&*name.to_string_lossy()) {
                found.extend(documents(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The targets of inline links, outside code.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        // Even parts stand outside `code`.
        for part in line.split('`').step_by(2).filter(|_| !in_code) {
            for rest in part.split("](").skip(1) {
                found.extend(rest.split(')').next());
            }
        }
    }
    found
}

fn leads_somewhere(document: &Path, text: &str, target: &str) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let to = document.parent().unwrap_or(document).join(path);
    match (path.is_empty(), heading) {
        (true, Some(heading)) => has_heading(text, heading),
        (false, Some(heading)) => fs::read_to_string(to).is_ok_and(|text| has_heading(&text, heading)),
        (false, None) => to.exists(),
        (true, None) => false,
    }
}

/// Whether a heading has this anchor, as hosts of Markdown make them: lower case, hyphens for spaces, no punctuation.
fn has_heading(text: &str, anchor: &str) -> bool {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>())
        .any(|heading| heading.replace(' ', "-") == anchor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code_only() {
        let text = "see [a](x.md) and [`b`](y.md#z)\n`[c](no.md)`\n```\n[d](no.md)\n```\n![e](e.svg)";
        assert_eq!(targets(text), ["x.md", "y.md#z", "e.svg"]);
    }

    #[test]
    fn headings_have_the_anchors_that_hosts_give_them() {
        let text = "# One\n\n## 2. Names and `numbers`, too\n";
        assert!(has_heading(text, "one") && has_heading(text, "2-names-and-numbers-too"));
        assert!(!has_heading(text, "names"));
    }

    #[test]
    fn every_document_links_to_what_is_there() {
        assert!(check().is_ok());
        assert!(!leads_somewhere(&root().join("README.md"), "", "no-such-file.md"));
        assert!(!leads_somewhere(&root().join("README.md"), "", "docs/threat-model.md#no-such-heading"));
        assert!(leads_somewhere(&root().join("README.md"), "", "docs/threat-model.md"));
    }
}

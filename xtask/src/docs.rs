//! `cargo xtask docs`: the reference pages that are generated from code.
//!
//! Each page belongs to a test, which holds the committed page to what the code makes, and writes it when blessed.

use crate::run::{Done, Program, cargo};

/// The variable that lets tests write their golden files.
pub const BLESS: &str = "CAIRN_BLESS";

/// A page: the package and the name of the test that owns it.
const PAGES: [(&str, &str, &str); 3] = [
    ("docs/reference/openapi.json", "cairn-gateway", "the_committed_openapi_document_is_the_one_served"),
    ("docs/reference/cli.md", "cairn", "the_reference_page_is_what_help_says"),
    ("docs/reference/contracts.md", "cairn-settle", "the_gas_in_the_reference_is_what_the_contracts_use"),
];

/// Writes every page.
pub fn generate() -> Done {
    for (page, package, owner) in PAGES {
        Program::of(&cargo(), ["test", "--quiet", "--package", package, owner]).env(BLESS, "1").run()?;
        println!("{page} is what the code makes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::root;

    #[test]
    fn every_page_is_there_and_its_owner_writes_it() {
        for (page, package, owner) in PAGES {
            assert!(root().join(page).is_file(), "{page}");
            let mut folders = vec![root().join("crates").join(package).join("tests")];
            let mut found = false;
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else {
                        let text = std::fs::read_to_string(&path).unwrap_or_default();
                        found |= text.contains(&format!("fn {owner}()"));
                    }
                }
            }
            assert!(found, "{package} has no test `{owner}`");
        }
    }
}

//! Starting other programs from the root of the project.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a chore is not done.
pub enum Failure {
    /// The call is wrong; the text says how it goes.
    Usage(String),
    /// Something is wrong, in words.
    Wrong(String),
}

/// What a chore ends in.
pub type Done = Result<(), Failure>;

/// A failure in words.
pub fn wrong<T>(what: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Wrong(what.into()))
}

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project's folder").to_path_buf()
}

/// `cargo`, the one that runs this program.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// A program to start in a folder of the project.
pub struct Program {
    command: Command,
    shown: String,
}

impl Program {
    /// `program` with `arguments`, in the project's root.
    pub fn of<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(root());
        let mut shown = Path::new(program).file_name().map_or(program.into(), OsStr::to_string_lossy).into_owned();
        for argument in arguments {
            shown.push(' ');
            shown.push_str(&argument.as_ref().to_string_lossy());
            command.arg(argument);
        }
        Self { command, shown }
    }

    /// In a folder below the root.
    pub fn within(mut self, folder: &str) -> Self {
        self.command.current_dir(root().join(folder));
        self
    }

    /// With an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without an environment variable that this program may have been given.
    pub fn env_without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Runs it, its output going where this program's goes.
    pub fn run(mut self) -> Done {
        println!("\n$ {}", self.shown);
        match self.command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => wrong(format!("`{}` ended with {status}", self.shown)),
            Err(error) => wrong(format!("`{}` did not start: {error}", self.shown)),
        }
    }

    /// Runs it beside this program's own standard output, which it leaves alone.
    pub fn run_aside(mut self) -> Done {
        match self.command.stdout(Stdio::null()).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => wrong(format!("`{}` ended with {status}", self.shown)),
            Err(error) => wrong(format!("`{}` did not start: {error}", self.shown)),
        }
    }

    /// Runs it for its standard output.
    pub fn read(mut self) -> Result<String, Failure> {
        println!("\n$ {}", self.shown);
        match self.command.stderr(Stdio::inherit()).output() {
            Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => {
                print!("{}", String::from_utf8_lossy(&output.stdout));
                wrong(format!("`{}` ended with {}", self.shown, output.status))
            }
            Err(error) => wrong(format!("`{}` did not start: {error}", self.shown)),
        }
    }

    /// Whether it names a folder that is there, silently.
    pub fn reads_a_folder(mut self) -> bool {
        let output = self.command.stdin(Stdio::null()).stderr(Stdio::null()).output();
        output.is_ok_and(|output| {
            output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
        })
    }

    /// Whether it starts and ends well, silently.
    pub fn works(mut self) -> bool {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.command.status().is_ok_and(|status| status.success())
    }
}

/// The text under `"name"` in a JSON document whose keys differ; enough for the documents that this program reads.
pub fn json_text<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("\"{name}\":"))?;
    rest.trim_start().strip_prefix('"')?.split_once('"').map(|(text, _)| text)
}

/// A folder that is removed when this is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new folder.
    pub fn folder() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("cairn-xtask-{}", std::process::id()));
        match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => wrong(format!("cannot make {}: {error}", path.display())),
        }
    }

    /// A path in it, as text.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind lies in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_under_its_name_and_only_there() {
        let document = "{\n  \"name\": \"a \",\n  \"size\": 7,\"log_vkey\":\"x+y+z=\" }";
        assert_eq!(json_text(document, "log_vkey"), Some("x+y+z="));
        assert_eq!(json_text(document, "name"), Some("a "));
        assert_eq!(json_text(document, "size"), None);
        assert_eq!(json_text(document, "novel"), None);
    }

    #[test]
    fn programs_that_do_not_exist_do_not_work_and_say_so() {
        let none = || Program::of("cairn-no-such-program", ["x"]);
        assert!(!none().works());
        assert!(matches!(none().run(), Err(Failure::Wrong(what)) if what.contains("cairn-no-such-program x")));
    }
}

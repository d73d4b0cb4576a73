//! Whoever sits before the machine: asked what no flag says, and never where nobody sits.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::Failure;

/// Somebody who may be asked.
pub trait Person {
    /// Asks; an empty answer is the suggestion, where there is one. `flag` is how the answer is given beforehand.
    ///
    /// # Errors
    /// `NODE-ASK` where nobody can answer and nothing is suggested.
    fn ask(&mut self, question: &str, suggestion: Option<&str>, flag: &str) -> Result<String, Failure>;
}

/// Whoever sits at the terminal, if somebody does.
pub struct Terminal {
    /// Takes every suggestion.
    is_silent: bool,
    is_there: bool,
}

impl Terminal {
    /// `is_silent` asks nothing and takes what would be suggested.
    pub fn of(is_silent: bool) -> Self {
        Self { is_silent, is_there: std::io::stdin().is_terminal() && std::io::stderr().is_terminal() }
    }
}

/// That something was not said, and nobody can be asked.
pub fn unsaid(flag: &str) -> Failure {
    Failure::usage("NODE-ASK", format!("nobody is here to answer, and {flag} is not given"))
        .hint(format!("give {flag}; with --yes what can be suggested need not be said"))
}

impl Person for Terminal {
    fn ask(&mut self, question: &str, suggestion: Option<&str>, flag: &str) -> Result<String, Failure> {
        match suggestion {
            Some(suggestion) if self.is_silent => return Ok(suggestion.to_owned()),
            _ if self.is_silent || !self.is_there => return Err(unsaid(flag)),
            _ => {}
        }
        let mut out = std::io::stderr().lock();
        let shown = suggestion.map(|suggestion| format!(" [{suggestion}]")).unwrap_or_default();
        let mut answer = String::new();
        // A terminal that cannot be written to cannot be answered on either.
        let asked = write!(out, "{question}{shown}\n> ").and_then(|()| out.flush());
        let read = asked.and_then(|()| std::io::stdin().lock().read_line(&mut answer));
        match (read, answer.trim(), suggestion) {
            (Ok(0) | Err(_), ..) => Err(unsaid(flag)),
            (Ok(_), "", Some(suggestion)) => Ok(suggestion.to_owned()),
            (Ok(_), "", None) => Err(unsaid(flag)),
            (Ok(_), answer, _) => Ok(answer.to_owned()),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Somebody who says these things, in order, and takes suggestions with an empty one.
    pub struct Says(pub std::collections::VecDeque<&'static str>, pub Vec<String>);

    impl Says {
        pub fn these(answers: &[&'static str]) -> Self {
            Self(answers.iter().copied().collect(), Vec::new())
        }
    }

    impl Person for Says {
        fn ask(&mut self, question: &str, suggestion: Option<&str>, flag: &str) -> Result<String, Failure> {
            self.1.push(question.to_owned());
            match (self.0.pop_front(), suggestion) {
                (Some(""), Some(suggestion)) => Ok(suggestion.to_owned()),
                (Some(answer), _) if !answer.is_empty() => Ok(answer.to_owned()),
                _ => Err(unsaid(flag)),
            }
        }
    }

    #[test]
    fn who_is_silent_takes_suggestions_and_is_never_waited_for() {
        let mut silent = Terminal { is_silent: true, is_there: true };
        assert_eq!(silent.ask("?", Some("a"), "--flag").unwrap(), "a");
        for mut nobody in [silent, Terminal { is_silent: false, is_there: false }] {
            let failure = nobody.ask("?", None, "--flag").unwrap_err();
            assert_eq!((failure.code.as_str(), failure.exit as u8), ("NODE-ASK", 2));
            assert!(failure.hint.unwrap().contains("--flag"));
        }
        let mut away = Terminal { is_silent: false, is_there: false };
        assert_eq!(away.ask("?", Some("a"), "--flag").unwrap_err().code, "NODE-ASK");
    }
}

//! `cairn chain terms`: a document to start from.

use crate::failure::Failure;
use crate::output::Output;
use crate::settle::address;
use crate::settle::terms::template;

/// Arguments of `cairn chain terms`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where bonds and deposits go, and who guards at first: `0x` and 40 hexadecimal digits
    #[arg(long, value_name = "ADDRESS")]
    treasury: String,
    /// An auditor; given once for each
    #[arg(long = "auditor", value_name = "ADDRESS", required = true)]
    auditors: Vec<String>,
    /// Terms for a rehearsal: fewer auditors will do, and no bonds and windows
    #[arg(long)]
    rehearsal: bool,
}

/// Runs the command.
///
/// # Errors
/// `STL-ADDRESS`.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let mut auditors = args.auditors.iter().map(|text| address(text)).collect::<Result<Vec<_>, _>>()?;
    auditors.sort_unstable();
    let text = template(args.rehearsal, &auditors, &address(&args.treasury)?);
    let document = serde_json::json!({ "document": text });
    output.show(&document, |_| text.clone())
}

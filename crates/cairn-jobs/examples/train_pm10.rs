//! Makes the forecast's model anew from the project's recording, and says how far it is off.
//!
//! `cargo run --release -p cairn-jobs --example train_pm10 [FILE]`: writes the model to FILE, or compares it with the committed one.

use std::process::ExitCode;

use cairn_jobs::errors::Table;
use cairn_jobs::train::{Recipe, TEST_FROM, train};

#[path = "../tests/recording/mod.rs"]
mod recording;

fn main() -> ExitCode {
    let grid = recording::germany();
    let network = train(&grid, TEST_FROM, &Recipe::committed());
    let table = Table::of(&grid, &network, TEST_FROM..grid.days().1 + 1);
    println!("{} forecasts for 2007 to 2009, errors in ug/m3:\n\n{table}", table.forecasts);
    let model = network.encode();
    match std::env::args().nth(1) {
        Some(file) => match std::fs::write(&file, &model) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("cannot write {file}: {error}");
                ExitCode::FAILURE
            }
        },
        None if model == cairn_jobs::PM10_MODEL => {
            println!("These are the {} bytes of the committed model.", model.len());
            ExitCode::SUCCESS
        }
        None => {
            println!("This is another model than the committed one.");
            ExitCode::FAILURE
        }
    }
}

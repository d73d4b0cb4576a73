//! The forecast's model: made again, and as far off as its README says.

use cairn_jobs::errors::Table;
use cairn_jobs::train::{Recipe, TEST_FROM, train};
use cairn_jobs::{PM10_MODEL, features};

use crate::recording::germany;

const README: &str = include_str!("../../../../examples/compute/inference/README.md");

#[test]
fn training_gives_the_committed_model_byte_for_byte_and_the_readme_quotes_its_errors() {
    let grid = germany();
    let network = train(&grid, TEST_FROM, &Recipe::committed());
    assert!(network.encode() == PM10_MODEL, "training made another model");
    let table = Table::of(&grid, &network, TEST_FROM..grid.days().1 + 1);
    assert!(README.contains(&table.to_string()), "the README does not quote\n{table}");
    assert!(README.contains(&format!("{} forecasts", table.forecasts)), "{}", table.forecasts);
    let [persistence, neighbours, network] = &table.lines[..] else { unreachable!("three ways") };
    for plain in [persistence, neighbours] {
        assert!(network.mean_absolute < plain.mean_absolute && network.root_mean_square < plain.root_mean_square);
    }
}

#[test]
fn what_is_trained_knows_nothing_of_the_years_it_is_tested_on() {
    let grid = germany();
    let before = grid.until(TEST_FROM);
    let recipe = Recipe { epochs: 1, hidden: vec![4], ..Recipe::committed() };
    assert_eq!(before.days().1, TEST_FROM - 1);
    assert_eq!(train(&grid, TEST_FROM, &recipe), train(&before, TEST_FROM, &recipe));
    assert_eq!(features::row(&grid, 0, TEST_FROM - 1), features::row(&before, 0, TEST_FROM - 1));
}

//! One module per resource class: body, profile, judge.

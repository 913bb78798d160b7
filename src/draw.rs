//! Pictures and words of the HTML pages: planes with axes as SVG text, escaped text, numbers as people read them.
//!
//! The report of a backtest and the server's page are made of the same pieces and look alike. Nothing here asks for
//! anything, runs a script or knows what is drawn; colours come from the style by class and follow light and dark.

mod picture;
mod points;
mod words;

pub use picture::{COLUMNS, Figure, Plane};
pub use points::{stairs, thinned, time_marks};
pub use words::{day, escaped, moment, number};

/// The style that all pages share.
pub const STYLE: &str = include_str!("draw/style.css");

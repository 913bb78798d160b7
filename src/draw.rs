//! Drawing and text for the HTML pages: planes with axes as SVG, escaped text, formatted numbers.
//!
//! The report of a backtest and the server's page use the same parts and look alike. Nothing here fetches anything,
//! runs a script or knows what is drawn. The style sets colours by class, so they adapt to light and dark mode.

mod picture;
mod points;
mod words;

pub use picture::{COLUMNS, Figure, Plane};
pub use points::{stairs, thinned, time_marks};
pub use words::{day, escaped, moment, number, scroller};

/// The style that all pages share.
pub const STYLE: &str = include_str!("draw/style.css");

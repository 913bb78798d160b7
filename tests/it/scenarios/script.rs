//! Parses the text of a scenario into directives and questions.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use forescale::history::Series;
use forescale::units::{Span, Step, Time};

use super::notation;

/// A scenario, ready to be played.
pub(super) struct Script {
    /// The lines as written; expectations are the indented lines after a question.
    pub lines: Vec<String>,
    pub start: Time,
    pub zone: Option<Tz>,
    /// The policy file.
    pub policy: String,
    /// Keys of the trigger that apply from an instant on.
    pub patches: Vec<(Time, BTreeMap<String, String>)>,
    pub calendars: Vec<(String, String)>,
    /// Events of the server's configuration, as YAML.
    pub events: String,
    pub series: BTreeMap<String, Series>,
    pub down: Vec<(Time, Time)>,
    pub unread: Vec<(Time, Time)>,
    pub skewed: Vec<(Time, Time, Span)>,
    /// When processes start, in order; each replaces the previous one.
    pub restarts: Vec<Time>,
    /// When a second process starts, which is asked in addition to the first.
    pub replica: Option<Time>,
    pub grace: Span,
    pub phase: Span,
    /// Pod starts: when ready, seconds taken, whether from zero.
    pub leads: Vec<(Time, f64, bool)>,
    pub questions: Vec<Question>,
}

/// What is asked, and on which line.
pub(super) struct Question {
    pub line: usize,
    /// The line after the expectations.
    pub until: usize,
    /// Whether instants are printed as days and hours since the start, as they were asked.
    pub relative: bool,
    pub ask: Ask,
}

pub(super) enum Ask {
    /// The whole decision at each instant.
    At(Vec<Time>),
    /// Replicas and reason wherever they change.
    Changes(Time, Time, Span),
    /// The full explanation of the decision.
    Explain(Time),
}

impl Script {
    pub(super) fn parse(text: &str) -> Result<Script, String> {
        let mut script = Script {
            lines: text.lines().map(str::to_owned).collect(),
            start: Time::parse("2026-10-05T00:00:00Z").map_err(|e| e.to_string())?,
            zone: None,
            policy: String::new(),
            patches: Vec::new(),
            calendars: Vec::new(),
            events: String::new(),
            series: BTreeMap::new(),
            down: Vec::new(),
            unread: Vec::new(),
            skewed: Vec::new(),
            restarts: Vec::new(),
            replica: None,
            grace: Span::seconds(30),
            phase: Span::ZERO,
            leads: Vec::new(),
            questions: Vec::new(),
        };
        let lines = script.lines.clone();
        let mut step = Step::MINUTE;
        let mut at = 0;
        while let Some(line) = lines.get(at) {
            let first = at + 1;
            let until = (first..lines.len()).find(|&i| !lines[i].starts_with(' ')).unwrap_or(lines.len());
            let place = |e: String| format!("line {first}: {e}");
            if !line.trim().is_empty() && !line.starts_with('#') {
                let block = dedent(&lines[first..until]);
                script.directive(line, &block, (at, until), &mut step).map_err(place)?;
            }
            at = until;
        }
        Ok(script)
    }

    fn directive(
        &mut self,
        line: &str,
        block: &str,
        (at, until): (usize, usize),
        step: &mut Step,
    ) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (head, rest) = words.split_first().ok_or("an empty directive")?;
        let word = |i: usize| rest.get(i).copied().ok_or(format!("'{head}' needs more words"));
        let instant = |i: usize| notation::instant(word(i)?, self.start);
        match *head {
            "start" => {
                self.start = Time::parse(&format!("{}T00:00:00Z", word(0)?)).map_err(|e| e.to_string())?
            }
            "zone" => self.zone = Some(word(0)?.parse().map_err(|_| "no such zone".to_owned())?),
            "step" => *step = Step::new(notation::span(word(0)?)?).map_err(|e| e.to_string())?,
            "grace" => self.grace = notation::span(word(0)?)?,
            "phase" => self.phase = notation::span(word(0)?)?,
            "policy" => block.clone_into(&mut self.policy),
            "events" => block.clone_into(&mut self.events),
            "calendar" => self.calendars.push((word(0)?.to_owned(), notation::calendar(block))),
            "patch" => self.patches.push((instant(0)?, notation::metadata(block)?)),
            "down" => self.down.push((instant(0)?, instant(1)?)),
            "unread" => self.unread.push((instant(0)?, instant(1)?)),
            "skew" => self.skewed.push((instant(0)?, instant(1)?, notation::span(word(2)?)?)),
            "restart" => self.restarts.push(instant(0)?),
            "replica" => self.replica = Some(instant(0)?),
            "pods" => self.leads.extend(notation::pods(rest, self.start)?),
            "at" | "explain" | "changes" => {
                let relative = !word(0)?.contains('T');
                let ask = match *head {
                    "at" => Ask::At((0..rest.len()).map(instant).collect::<Result<_, _>>()?),
                    "explain" => Ask::Explain(instant(0)?),
                    _ => {
                        let every = rest.get(3).map_or(Ok(Span::MINUTE), |text| notation::span(text))?;
                        Ask::Changes(instant(0)?, instant(1)?, every)
                    }
                };
                self.questions.push(Question { line: at, until, relative, ask });
            }
            name if name.ends_with(':') => {
                let name = name.trim_end_matches(':').to_owned();
                let series = self.series.remove(&name).unwrap_or_else(|| Series::new(self.start, *step));
                self.series.insert(name, notation::extend(series, rest, self.start)?);
            }
            other => return Err(format!("no directive is named '{other}'")),
        }
        Ok(())
    }
}

/// The lines without their common indentation.
fn dedent(lines: &[String]) -> String {
    let indent = lines.iter().map(|l| l.len() - l.trim_start().len()).min().unwrap_or(0);
    lines.iter().map(|l| format!("{}\n", &l[indent..])).collect()
}

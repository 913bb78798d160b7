//! The table of all workloads, with their totals above it.

use std::fmt::Write;

use chrono_tz::Tz;

use super::super::fleet::{Choice, Fleet, ROWS, Row, Sort, Totals};
use super::super::overview::{KnownWorkload, Overview};
use super::{FOOT, class, encoded, head};
use crate::decide::{Condition, Contributor, Decision, Reason, Severity, coming};
use crate::draw::{escaped, number, scroller};
use crate::history::Series;
use crate::units::{Span, Time, counted};

/// How many hours of load a row shows.
const COURSE: Span = Span::hours(24);
/// Points of that line: as many as its few pixels can show.
const POINTS: i64 = 48;

pub(super) fn write(out: &mut String, overview: &dyn Overview, choice: &Choice) -> std::fmt::Result {
    let (known, now) = (overview.workloads(), overview.now());
    let fleet = Fleet::of(&known, choice, now);
    out.push_str(&head("Workloads", "", Some((now, Tz::UTC))));
    writeln!(
        out,
        "<h1>{}</h1>\n<p>{}</p>",
        counted(known.len(), "workload"),
        headline(known.len(), fleet.all)
    )?;
    if known.is_empty() {
        out.push_str(FOOT);
        return Ok(());
    }
    totals(out, &fleet.totals, overview.settings().price)?;
    form(out, choice)?;
    let (page, rows) = fleet.page(choice);
    table_head(out, choice)?;
    for row in rows {
        let course = overview.load(&row.known.id);
        write_row(out, row, course.as_deref(), now, overview.exposes_queries())?;
    }
    out.push_str("</tbody></table></div>\n");
    if rows.is_empty() {
        out.push_str("<p>No workload matches. <a href=\"./\">Show all</a></p>\n");
    }
    pages(out, page, &fleet, choice)?;
    let query = link(choice, choice.sort, None);
    writeln!(
        out,
        "<p class=\"soft\">This table as <a href=\"api/v1/fleet{query}\">JSON</a> and as \
         <a href=\"api/v1/fleet.csv{query}\">CSV</a>.</p>"
    )?;
    out.push_str(FOOT);
    Ok(())
}

/// How many workloads have problems, regardless of the filter.
fn headline(count: usize, (bad, warnings): (usize, usize)) -> String {
    match (count, bad, warnings) {
        (0, ..) => {
            "KEDA has asked for none yet. Apply a ScaledObject whose trigger names this server; it appears \
                    within its polling interval."
                .to_owned()
        }
        (_, 0, 0) => "All are healthy.".to_owned(),
        (_, bad, warnings) => format!("{bad} in trouble, {warnings} with warnings; they come first."),
    }
}

fn totals(out: &mut String, totals: &Totals, price: Option<f64>) -> std::fmt::Result {
    out.push_str("<section class=\"tiles\" aria-label=\"Totals\">\n");
    let mut tile = |title: &str, value: String, note: String| {
        writeln!(
            out,
            "<div class=\"tile\"><span>{title}</span><strong>{value}</strong><small>{note}</small></div>"
        )
    };
    let worth = totals.worth;
    let since = format!("in {} h, against a reactive trigger", number(worth.hours));
    tile("replicas now", totals.replicas.to_string(), format!("the load now needs {}", totals.needed))?;
    tile("expected", totals.expected.to_string(), "until pods started now are ready".to_owned())?;
    tile("under-provisioned hours avoided", number(worth.avoided), since.clone())?;
    let (title, hours) = saved_or_spent(worth.saved);
    tile(&format!("replica-hours {title}"), number(hours), format!("net, {since}"))?;
    if let Some(price) = price {
        tile(&format!("money {title}"), format!("{:.2}", hours * price), format!("at {price} an hour"))?;
    }
    out.push_str("</section>\n");
    Ok(())
}

fn saved_or_spent(saved: f64) -> (&'static str, f64) {
    if saved < 0.0 { ("spent", -saved) } else { ("saved", saved) }
}

fn form(out: &mut String, choice: &Choice) -> std::fmt::Result {
    let field = |value: &Option<String>| escaped(value.as_deref().unwrap_or_default());
    write!(
        out,
        "<form role=\"search\" action=\"./\"><label for=\"q\">Name contains</label>\
         <input id=\"q\" name=\"q\" value=\"{}\"><label for=\"namespace\">namespace</label>\
         <input id=\"namespace\" name=\"namespace\" value=\"{}\">",
        field(&choice.q),
        field(&choice.namespace)
    )?;
    let known = Condition::NAMES.into_iter().zip(Condition::TITLES);
    let states = [("", "any state")].into_iter().chain(known);
    select(out, "state", "state", choice.state.as_deref(), states)?;
    let savings = [("", "saved or spent"), ("saved", "saved"), ("spent", "spent")];
    select(out, "saving", "saving", choice.saving.as_deref(), savings)?;
    writeln!(
        out,
        "<input type=\"hidden\" name=\"sort\" value=\"{}\"><button>Show</button></form>",
        choice.sort.as_str()
    )
}

fn select<'a>(
    out: &mut String,
    name: &str,
    label: &str,
    chosen: Option<&str>,
    options: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> std::fmt::Result {
    write!(out, "<label for=\"{name}\">{label}</label><select id=\"{name}\" name=\"{name}\">")?;
    for (value, words) in options {
        let selected = if chosen.unwrap_or_default() == value { " selected" } else { "" };
        write!(out, "<option value=\"{value}\"{selected}>{words}</option>")?;
    }
    out.push_str("</select>");
    Ok(())
}

/// The current filter as a query string, with another sort order or page.
fn link(choice: &Choice, sort: Sort, page: Option<usize>) -> String {
    let mut query = format!("?sort={}", sort.as_str());
    for (key, value) in [
        ("q", &choice.q),
        ("namespace", &choice.namespace),
        ("state", &choice.state),
        ("saving", &choice.saving),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            let _ = write!(query, "&amp;{key}={}", escaped(&encoded(value)));
        }
    }
    if let Some(page) = page {
        let _ = write!(query, "&amp;page={page}");
    }
    query
}

fn table_head(out: &mut String, choice: &Choice) -> std::fmt::Result {
    out.push_str(&scroller("Workloads"));
    out.push_str(
        "<table class=\"fleet\">\n\
         <caption>Replicas are the answer to KEDA. Saved are replica-hours compared with a reactive trigger; a minus \
         sign means that more were spent. Short avoided are under-provisioned hours that the forecast \
         avoided.</caption>\n<thead><tr>",
    );
    let columns = [
        (Some(Sort::Name), "workload", ""),
        (Some(Sort::State), "state", "words"),
        (Some(Sort::Replicas), "replicas", ""),
        (None, "last day", "roomy"),
        (Some(Sort::Load), "load", "roomy"),
        (None, "expected peak", "roomy"),
        (Some(Sort::Saved), "saved", "roomy"),
        (Some(Sort::Short), "short avoided", "roomy"),
        (None, "why", "words"),
    ];
    for (sort, words, class) in columns {
        let is_sorted =
            sort == Some(choice.sort) || (sort == Some(Sort::Saved) && choice.sort == Sort::Spent);
        // If the most saved is on top, the next click reverses the order.
        let to = match sort {
            Some(Sort::Saved) if choice.sort == Sort::Saved => Some(Sort::Spent),
            sort => sort,
        };
        let sorted = match (is_sorted, choice.sort) {
            (false, _) => "",
            (true, Sort::Name | Sort::Spent) => " aria-sort=\"ascending\"",
            (true, _) => " aria-sort=\"descending\"",
        };
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let words = to.map_or_else(
            || words.to_owned(),
            |sort| format!("<a href=\"./{}\">{words}</a>", link(choice, sort, None)),
        );
        write!(out, "<th scope=\"col\"{class}{sorted}>{words}</th>")?;
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    Ok(())
}

fn write_row(
    out: &mut String,
    row: &Row<'_>,
    course: Option<&Series>,
    now: Time,
    exposes: bool,
) -> std::fmt::Result {
    let (known, state) = (row.known, &row.state);
    let id = &known.id;
    let several =
        if id.metric() == "forescale" { String::new() } else { format!(" ({})", escaped(id.metric())) };
    let decision = known.status.decision();
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let failing = || known.failing.iter().map(|query| format!("; {query}")).collect::<String>();
    let why = match (state.severity(), decision) {
        (Severity::Good, Some(decision)) => Some(why(decision, known, now) + &failing()),
        (_, Some(_)) => Some(state.to_string() + &failing()),
        (_, None) => known.trouble(exposes),
    };
    let place = format!(
        "workloads/{}/{}?metric={}",
        encoded(id.namespace()),
        encoded(id.name()),
        encoded(id.metric())
    );
    write!(
        out,
        "<tr><th scope=\"row\"><a href=\"{}\">{}/<wbr>{}</a>{several}</th><td class=\"words\"><span class=\"mark {}\">\
         {}</span></td><td>{}</td><td class=\"roomy\">{}</td>",
        escaped(&place),
        escaped(id.namespace()),
        escaped(id.name()),
        class(state),
        state.title(),
        decision.map_or_else(|| "-".to_owned(), |d| d.replicas.to_string()),
        course.map_or_else(|| "-".to_owned(), |series| spark(series, now)),
    )?;
    for value in [
        decision.and_then(|d| d.load),
        decision.and_then(|d| d.forecast.as_ref()).map(|f| f.load),
        known.worth.map(|worth| worth.saved),
        known.worth.map(|worth| worth.avoided),
    ] {
        write!(out, "<td class=\"roomy\">{}</td>", cell(value))?;
    }
    writeln!(out, "<td class=\"words\">{}</td></tr>", escaped(&why.unwrap_or_default()))
}

/// The load as a small line: the largest value of each half hour.
fn spark(series: &Series, now: Time) -> String {
    const HEIGHT: f64 = 24.0;
    let (from, every) = (now - COURSE, COURSE.as_seconds() / POINTS);
    let first = series.slot_before(from).map_or(0, |slot| slot + 1);
    let mut tops: Vec<Option<f64>> = vec![None; POINTS as usize];
    for (at, load) in (first..series.len()).filter_map(|i| Some((series.time(i), series.get(i)?))) {
        let place = usize::try_from(at.since(from).as_seconds() / every).unwrap_or(usize::MAX);
        if let Some(top) = tops.get_mut(place) {
            *top = Some(top.map_or(load, |top| top.max(load)));
        }
    }
    let most = tops.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut path = String::new();
    let mut pen = 'M';
    for (i, top) in tops.iter().enumerate() {
        match top {
            Some(load) => {
                let _ = write!(path, "{pen}{} {:.1}", i * 2, HEIGHT - 2.0 - load / most * (HEIGHT - 4.0));
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    if path.is_empty() {
        return "-".to_owned();
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 96 24\" role=\"img\" aria-label=\"load of the last day, at most {}\">\
         <path class=\"line load\" d=\"{path}\"/></svg>",
        number(most)
    )
}

/// The reason for an answer; if people configured it, also until when that applies.
fn why(decision: &Decision, known: &KnownWorkload, now: Time) -> String {
    let is_said = match decision.reason {
        Reason::Need(by) => {
            matches!(by, Contributor::Schedule | Contributor::Override | Contributor::Minimum)
        }
        Reason::Ceiling | Reason::CommandedZero | Reason::Idle => true,
        Reason::MaxReplicas => false,
    };
    let coming = known.policy.as_ref().filter(|_| is_said).and_then(|policy| coming(policy, now));
    match coming {
        Some(coming) => format!("{}; {coming}", decision.reason),
        None => decision.reason.to_string(),
    }
}

fn pages(out: &mut String, page: usize, fleet: &Fleet<'_>, choice: &Choice) -> std::fmt::Result {
    if fleet.rows.len() <= ROWS {
        return Ok(());
    }
    let last = fleet.last_page();
    let to = |page: usize| link(choice, choice.sort, Some(page));
    write!(out, "<nav aria-label=\"Pages\"><p>Page {} of {}", page + 1, last + 1)?;
    if page > 0 {
        write!(out, " <a href=\"./{}\">previous</a>", to(page - 1))?;
    }
    if page < last {
        write!(out, " <a href=\"./{}\">next</a>", to(page + 1))?;
    }
    out.push_str("</p></nav>\n");
    Ok(())
}

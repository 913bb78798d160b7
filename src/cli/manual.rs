//! Generates one Markdown page of every command with its options, from the definitions that parse them.
//!
//! The page in the book is this text, and a test keeps them equal. Only the frame is written by hand.

use std::fmt::Write;

use clap::{Arg, Command};

/// The page: the purpose of a command, its usage, and a table of its options.
pub(super) fn commands(mut root: Command) -> String {
    root.build();
    let mut out = String::from(
        "# Every command\n\nWritten by `forescale schema --commands`. Exit codes: 0 fine, 1 a check or an assertion \
         failed, 2 bad input.\nResults go to standard output, progress and errors to standard error.\n",
    );
    for command in root.get_subcommands().filter(|command| command.get_name() != "help") {
        section(&mut out, command, "##");
    }
    out
}

fn section(out: &mut String, command: &Command, level: &str) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let usage = command.clone().render_usage().to_string();
    let usage: Vec<_> = usage.trim_start_matches("Usage:").lines().map(str::trim).collect();
    let usage = usage.join("\n    ");
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(out, "\n{level} `{name}`\n\n{}.\n\n    {usage}\n", about.trim().trim_end_matches('.'));
    let mut arguments = command.get_arguments().filter(|arg| is_told(arg)).peekable();
    if arguments.peek().is_some() {
        out.push_str("\n| option | default | what it does |\n| --- | --- | --- |\n");
    }
    for argument in arguments {
        let _ = writeln!(out, "| {} | {} | {} |", spelling(argument), default(argument), meaning(argument));
    }
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        section(out, inner, "###");
    }
}

/// Whether the argument is described; those that every command has are left out.
fn is_told(argument: &Arg) -> bool {
    !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str())
}

fn spelling(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>"));
    let values = values.collect::<Vec<_>>().join(" ");
    let takes = argument.get_action().takes_values();
    match argument.get_long() {
        Some(long) if takes => cell(&format!("`--{long} {values}`")),
        Some(long) => format!("`--{long}`"),
        None => cell(&format!("`{values}`")),
    }
}

fn default(argument: &Arg) -> String {
    let shown = argument.get_action().takes_values();
    let values = argument.get_default_values().iter().filter(|_| shown).map(|v| v.to_string_lossy());
    let values = values.collect::<Vec<_>>().join(" ");
    match values.is_empty() {
        true => String::new(),
        false => cell(&format!("`{values}`")),
    }
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = cell(help.trim_end_matches('.')) + ".";
    let choices = argument.get_possible_values();
    let names: Vec<_> = choices.iter().map(|choice| format!("`{}`", choice.get_name())).collect();
    if argument.get_action().takes_values() && !names.is_empty() {
        let _ = write!(text, " One of {}.", names.join(", "));
    }
    text
}

/// Escapes bars, which would end the table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

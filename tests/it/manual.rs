//! Completions and man pages cover every command.

use std::process::Command;

const COMMANDS: [&str; 17] = [
    "assess",
    "backtest",
    "capacity",
    "completions",
    "demo",
    "doctor",
    "explain",
    "forecast",
    "health",
    "init",
    "lint",
    "man",
    "override",
    "schema",
    "serve",
    "timeline",
    "help",
];

fn run(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_forescale")).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn completions_and_man_pages_tell_of_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    run(&["man", folder.path().to_str().expect("UTF-8")]);
    for command in COMMANDS.iter().filter(|c| **c != "help") {
        let page = std::fs::read_to_string(folder.path().join(format!("forescale-{command}.1")));
        assert!(page.expect("a page").contains(".SH OPTIONS"), "{command}");
    }
    assert!(folder.path().join("forescale.1").exists());
}

#[test]
fn bash_accepts_its_completions() {
    let script = run(&["completions", "bash"]);
    let mut bash =
        Command::new("bash").arg("-n").stdin(std::process::Stdio::piped()).spawn().expect("bash runs");
    std::io::Write::write_all(&mut bash.stdin.take().expect("a pipe"), script.as_bytes()).expect("written");
    assert!(bash.wait().expect("it ends").success());
}

#[test]
fn the_books_page_of_commands_is_what_the_binary_says() {
    let page = crate::support::root("deploy/book/src/commands.md");
    let said = run(&["schema", "--commands"]);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, &said).expect("written");
    }
    let kept = std::fs::read_to_string(&page).unwrap_or_default();
    assert_eq!(
        kept, said,
        "write it anew: UPDATE=1, or forescale schema --commands > deploy/book/src/commands.md"
    );
    for command in COMMANDS.iter().filter(|command| **command != "help") {
        assert!(said.contains(&format!("\n## `forescale {command}`\n")), "{command}");
    }
}

//! The reference of commands and settings in `docs/configuration.md`, written from clap.
//!
//! `make docs` rewrites it, which sets `UPDATE_DOCS`.

use std::{env, fmt::Write, fs};

use clap::{Arg, Command};

use super::{file, read};

const PAGE: &str = "docs/configuration.md";

/// The page with the text between `<!-- NAME -->` and `<!-- /NAME -->` replaced.
fn with_part(page: &str, name: &str, part: &str) -> String {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let (before, rest) = page.split_once(&start).expect("the page has the part");
    let (_, after) = rest.split_once(&end).expect("the part ends");
    format!("{before}{start}{part}{end}{after}")
}

/// The help of an argument or a command as a cell of a table, and the default at the end of its
/// first paragraph, if that names one.
fn cell(help: &str) -> (String, Option<String>) {
    let paragraphs = help.split("\n\n");
    let paragraphs = paragraphs.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    // Clap takes the full stop from the first one.
    let help = paragraphs.collect::<Vec<_>>().join(". ").replace(".. ", ". ").replace('|', "\\|");
    match help.split_once(" [default: ").map(|(text, rest)| (text, rest.split_once(']'))) {
        Some((text, Some((default, rest)))) => (format!("{text}{rest}"), Some(default.to_owned())),
        Some((_, None)) | None => (help, None),
    }
}

fn help_of(arg: &Arg) -> (String, Option<String>) {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
    cell(&help.unwrap_or_default())
}

/// The form of the value: its words, or its unit.
fn value_of(arg: &Arg) -> String {
    let words: Vec<_> = if arg.get_action().takes_values() {
        arg.get_possible_values().iter().map(|word| format!("`{}`", word.get_name())).collect()
    } else {
        vec!["`true`".to_owned(), "`false`".to_owned()]
    };
    let unit = || arg.get_value_names().into_iter().flatten().map(|name| format!("`{name}`"));
    let words = if words.is_empty() { unit().collect() } else { words };
    words.join(", ").replace('|', "\\|")
}

/// All commands that do something, with the words that call them.
fn commands(command: &Command, words: &str) -> Vec<(String, Command)> {
    let visible = command.get_subcommands().filter(|command| !command.is_hide_set());
    let mut found = Vec::new();
    for command in visible {
        let words = format!("{words} {}", command.get_name());
        if command.has_subcommands() {
            found.extend(commands(command, &words));
        } else {
            found.push((words, command.clone()));
        }
    }
    found
}

fn table_of_commands(commands: &[(String, Command)]) -> String {
    let mut table = "| command | does |\n|---|---|\n".to_owned();
    for (words, command) in commands {
        let mut usage = words.clone();
        for arg in command.get_positionals() {
            let names = arg.get_value_names().into_iter().flatten();
            let many =
                if arg.get_num_args().is_some_and(|n| n.max_values() > 1) { "..." } else { "" };
            usage.extend(names.map(|name| format!(" {name}{many}")));
        }
        let about = command.get_long_about().or(command.get_about()).map(ToString::to_string);
        let (mut text, _) = cell(&about.unwrap_or_default());
        let own =
            |arg: &&Arg| arg.get_env().is_none() && !arg.is_positional() && !arg.is_hide_set();
        for arg in command.get_arguments().filter(own) {
            let flag = arg.get_long().expect("a flag has a long name");
            let unit = arg.get_value_names().filter(|_| arg.get_action().takes_values());
            let unit =
                unit.into_iter().flatten().map(|unit| format!(" {unit}")).collect::<String>();
            let (help, _) = help_of(arg);
            write!(text, "<br>`--{flag}{unit}`: {help}").expect("to a String");
        }
        writeln!(table, "| `{usage}` | {text} |").expect("to a String");
    }
    table
}

/// The settings of all commands, grouped as in `--help`, those of `serve` first.
fn tables_of_settings(commands: &[(String, Command)]) -> String {
    let mut groups: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for (_, command) in commands {
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let Some(variable) = arg.get_env().map(|name| name.to_string_lossy()) else { continue };
            let heading = arg.get_help_heading().unwrap_or("Server");
            let index = groups.iter().position(|(name, _)| name == heading);
            let index = index.unwrap_or_else(|| {
                groups.push((heading.to_owned(), Vec::new()));
                groups.len() - 1
            });
            let is_known =
                groups.iter().flat_map(|(_, rows)| rows).any(|(name, _)| *name == variable);
            if !is_known {
                groups[index].1.push((variable.to_string(), row(arg, &variable)));
            }
        }
    }

    let mut text = String::new();
    for (heading, rows) in groups {
        writeln!(
            text,
            "\n### {heading}\n\n| variable, flag | value | default | meaning |\n|---|---|---|---|"
        )
        .expect("to a String");
        text.extend(rows.into_iter().map(|(_, row)| row));
    }
    text + "\n"
}

fn row(arg: &Arg, variable: &str) -> String {
    let flag = arg.get_long().expect("a setting has a flag");
    let (help, default) = help_of(arg);
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
    let defaults: Vec<_> = defaults.map(|value| format!("`{value}`")).collect();
    let is_switch = !arg.get_action().takes_values();
    let default = default
        .unwrap_or_else(|| if is_switch { "`false`".to_owned() } else { defaults.join(", ") });
    format!("| `{variable}`<br>`--{flag}` | {} | {default} | {help} |\n", value_of(arg))
}

#[test]
fn the_page_of_the_configuration_is_what_clap_knows() {
    let commands = commands(&entourage::cli::command(), "entourage");
    let page = read(PAGE);
    let written = with_part(&page, "commands", &table_of_commands(&commands));
    let written = with_part(&written, "settings", &tables_of_settings(&commands));

    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(file(PAGE), &written).expect("the page is writable");
    } else {
        assert!(page == written, "{PAGE} is stale: `make docs` rewrites it");
    }
}

#[test]
fn every_variable_that_the_pages_name_exists() {
    let commands = commands(&entourage::cli::command(), "entourage");
    let arguments = commands.iter().flat_map(|(_, command)| command.get_arguments());
    let variables = arguments.filter_map(|arg| arg.get_env());
    let variables: Vec<_> = variables.map(|name| name.to_string_lossy().into_owned()).collect();
    let mut broken = Vec::new();
    let is_for_operators = |path: &str| {
        ["README.md", "SECURITY.md", "docs/"].iter().any(|start| path.starts_with(start))
    };
    for page in super::pages().into_iter().filter(|page| is_for_operators(&page.path)) {
        for (start, _) in page.text.match_indices("ENTOURAGE_") {
            let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            let name: String = page.text[start..].chars().take_while(|c| is_name(*c)).collect();
            if !variables.contains(&name) {
                broken.push(format!("{} names {name}", page.path));
            }
        }
    }
    crate::tidy::assert_none("pages name variables that do not exist", &broken);
}

#[test]
fn a_cell_has_all_of_a_help_and_its_default() {
    let cell_of = |help| cell(help).0;
    assert_eq!(
        cell_of("Create a user\n\nFrom a terminal\nor a file."),
        "Create a user. From a terminal or a file."
    );
    assert_eq!(cell_of("First.\n\nSecond"), "First. Second");
    let cell_and_default = ("a\\|b".to_owned(), Some("c".to_owned()));
    assert_eq!(cell("a|b [default: c]"), cell_and_default);
    let cell_and_default = ("a. More.".to_owned(), Some("c".to_owned()));
    assert_eq!(cell("a [default: c]\n\nMore."), cell_and_default);
}

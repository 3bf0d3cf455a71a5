//! Every statement of both engines, whole and in lines, so that reviewers read SQL and not macros.
//!
//! `INSTA_UPDATE=always cargo test --test it -- store::sql` rewrites the snapshots.

use entourage::store::statements;
use insta::assert_snapshot;

#[test]
fn every_statement_is_in_the_snapshot_of_its_engine() {
    for (engine, mut statements) in statements() {
        statements.sort_unstable();
        let readable = |(name, sql): (&str, &str)| format!("-- {name}\n{};\n", in_lines(sql));
        let document: Vec<_> = statements.into_iter().map(readable).collect();
        assert_snapshot!(engine, document.join("\n"));
    }
}

/// Words that begin a line.
const CLAUSES: [&str; 16] = [
    "SELECT",
    "FROM",
    "WHERE",
    "AND",
    "JOIN",
    "LEFT",
    "CROSS",
    "UNION",
    "ORDER",
    "GROUP",
    "LIMIT",
    "VALUES",
    "SET",
    "USING",
    "RETURNING",
    "DELETE",
];
/// Words that begin a query.
const QUERIES: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];

/// The statement with a line for each clause, and nested queries indented.
fn in_lines(sql: &str) -> String {
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
    let mut text = String::new();
    // For each open parenthesis, whether it holds a query.
    let mut open = Vec::<bool>::new();
    let mut last = "";
    for word in sql.split(' ') {
        let bare = word.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_query = word.contains('(') && QUERIES.contains(&bare);
        let is_clause = CLAUSES.contains(&word)
            && open.last().is_none_or(|is_query| *is_query)
            && !["LEFT", "CROSS", "BETWEEN", "DO"].contains(&last)
            && !text.ends_with("BETWEEN 0");
        if is_clause && !text.is_empty() {
            let depth = open.iter().filter(|is_query| **is_query).count();
            let indent = if word == "AND" { depth * 4 + 2 } else { depth * 4 };
            text.extend(["\n", &" ".repeat(indent)]);
        } else if !text.is_empty() {
            text.push(' ');
        }
        let opened = word.matches('(').count();
        for (n, character) in word.char_indices() {
            match character {
                // The last one of `((SELECT` opens the query.
                '(' => open.push(is_query && word[..=n].matches('(').count() == opened),
                ')' => drop(open.pop()),
                _ => {}
            }
        }
        if is_query {
            let depth = open.iter().filter(|is_query| **is_query).count();
            let start = word.len() - bare.len();
            text.extend([&word[..start], "\n", &" ".repeat(depth * 4), bare]);
        } else {
            text.push_str(word);
        }
        last = word;
    }
    text
}

//! Links between the pages.

use std::path::{Component, Path};

use super::{file, pages, pieces, read};
use crate::tidy::{Source, assert_none};

/// The targets of all links and pictures of a page, outside code.
fn targets(page: &str) -> Vec<String> {
    let text = pieces(page).step_by(2).collect::<Vec<_>>().join("\n");
    let links = text.split("](").skip(1);
    links.map(|rest| rest.split(')').next().unwrap_or_default().to_owned()).collect()
}

/// The anchors that GitHub gives the headings of a page.
fn anchors(page: &str) -> Vec<String> {
    let text = pieces(page).step_by(2).collect::<Vec<_>>().join("\n");
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The path of a link's target from the root of the project.
fn resolve(page: &Source, target: &str) -> String {
    if target.is_empty() {
        return page.path.clone();
    }
    let mut names = Vec::new();
    let folder = Path::new(&page.path).parent().expect("a page lies in a folder");
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => drop(names.pop()),
            part => names.push(part.as_os_str().to_string_lossy().into_owned()),
        }
    }
    names.join("/")
}

/// What is wrong with a link, if anything.
fn fault(page: &Source, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let path = resolve(page, path);
    if !file(&path).exists() {
        return Some(format!("{} links {target}, which does not exist", page.path));
    }
    let is_there = fragment.is_empty() || anchors(&read(&path)).iter().any(|a| a == fragment);
    (!is_there).then(|| format!("{} links {target}, and {path} has no such heading", page.path))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in pages() {
        broken.extend(targets(&page.text).iter().filter_map(|target| fault(&page, target)));
    }
    assert_none("links must lead somewhere", &broken);
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    let pages = pages();
    let mut reached = vec!["README.md".to_owned()];
    let mut next = 0;
    while let Some(path) = reached.get(next).cloned() {
        next += 1;
        let page = pages.iter().find(|page| page.path == path).expect("it is a page");
        for target in targets(&page.text).iter().filter(|target| !target.starts_with("https://")) {
            let path = resolve(page, target.split('#').next().unwrap_or_default());
            if pages.iter().any(|page| page.path == path) && !reached.contains(&path) {
                reached.push(path);
            }
        }
    }
    let lost = pages.into_iter().map(|page| page.path).filter(|path| !reached.contains(path));
    assert_none("pages without a link", &lost.collect::<Vec<_>>());
}

#[test]
fn dead_links_and_anchors_are_found() {
    let page = Source { path: "docs/x.md".to_owned(), text: String::new() };
    assert_eq!(fault(&page, "../README.md#licence"), None);
    assert_eq!(fault(&page, "https://example.com/"), None);
    assert!(fault(&page, "../README.md#no-such-heading").is_some());
    assert!(fault(&page, "README.md").is_some());
    assert_eq!(anchor("The `Dockerfile`, and why"), "the-dockerfile-and-why");
    assert_eq!(targets("[a](b.md)\n```sh\n[c](d.md)\n```\n![e](f.png)"), ["b.md", "f.png"]);
}

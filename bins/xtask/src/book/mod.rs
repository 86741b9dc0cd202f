//! The book: `docs/` as pages for a browser, and whether what stands in them is so.
//!
//! ```text
//! docs/ ── mdBook ──> target/book
//!   │                     └── lychee: does every link lead somewhere, there and in the repository?
//!   └── blocks and commands ──> the program, bash, Python: would they take them?
//! ```
//!
//! The check looks at a page of mistakes first, and is believed when it has seen all of them.

mod commands;
mod links;
mod page;
mod shell;
mod snippets;
mod verdict;

use std::path::Path;

use page::Page;
use verdict::Judge;

use crate::Failure;
use crate::process;
use crate::stage::Build;
use crate::venv;
use crate::workspace::Workspace;

/// mdBook and lychee, as programs that are built already.
const REQUIREMENTS: &str = "bins/xtask/book.txt";

const SUMMARY: &str = "docs/SUMMARY.md";

/// What was done tells of commands as they were.
const HISTORY: &str = "CHANGELOG.md";

/// Nothing on it is right.
const MISTAKES: &str = "bins/xtask/src/book/mistakes.md";

/// Builds the book, and checks the links, blocks and commands of all pages.
///
/// # Errors
///
/// A page is not in the book, a link leads nowhere, a block or a command is not taken, or a program cannot be installed.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let pages = Page::all(&workspace.root)?;
    none("pages that the book leaves out", &left_out(&pages)?)?;
    let folder = workspace.target.join("book-programs");
    let programs = venv::provide(&folder, &workspace.root.join(REQUIREMENTS))?;
    let book = workspace.target.join("book");
    build(workspace, &programs.join("mdbook"), &book)?;
    check_links(workspace, &programs.join("lychee"), &pages, &book)?;
    check_snippets(workspace, &pages)?;
    println!("the book is {}", book.join("index.html").display());
    Ok(())
}

/// The pages of `docs/` that the summary does not name.
fn left_out(pages: &[Page]) -> Result<Vec<String>, Failure> {
    let summary = pages.iter().find(|page| page.path == SUMMARY);
    let summary = summary.ok_or_else(|| format!("{SUMMARY} is missing"))?;
    let others = pages.iter().filter(|page| page.path != SUMMARY);
    let of_book = others.filter_map(|page| Some((page, page.path.strip_prefix("docs/")?)));
    Ok(of_book
        .filter(|(_, name)| !summary.text.contains(&format!("]({name})")))
        .map(|(page, _)| page.path.clone())
        .collect())
}

fn build(workspace: &Workspace, mdbook: &Path, book: &Path) -> Result<(), Failure> {
    let mut build = workspace.command(&mdbook.to_string_lossy(), &["build", "--dest-dir"]);
    Ok(process::run(build.arg(book))?)
}

fn check_links(
    workspace: &Workspace,
    lychee: &Path,
    pages: &[Page],
    book: &Path,
) -> Result<(), Failure> {
    let links = links::Checker { workspace, lychee };
    let mistakes = [MISTAKES.to_owned()];
    let seen = links.broken(&mistakes, &workspace.root)?;
    if seen.n_links != seen.broken.len() || seen.broken.is_empty() {
        return Err(format!("of the links in {MISTAKES} only these: {:?}", seen.broken).into());
    }
    let sources: Vec<String> = pages.iter().map(|page| page.path.clone()).collect();
    let in_book = [format!("{}/**/*.html", book.display())];
    let mut n_links = 0;
    for (inputs, root) in [(&sources[..], &*workspace.root), (&in_book[..], book)] {
        let found = links.broken(inputs, root)?;
        none("links that lead nowhere", &found.broken)?;
        n_links += found.n_links;
    }
    println!("{n_links} links of {} pages lead somewhere", pages.len());
    Ok(())
}

fn check_snippets(workspace: &Workspace, pages: &[Page]) -> Result<(), Failure> {
    Build::Debug.make(workspace, &["--bin", "kiro-2api"])?;
    let judge = Judge::new(workspace)?;
    let mistakes = Page::read(&workspace.root, MISTAKES)?;
    let not_seen = judge.not_seen(&mistakes)?;
    none("mistakes that the check does not see", &not_seen)?;
    let (mut n_snippets, mut wrong) = (0, Vec::new());
    for page in pages.iter().filter(|page| page.path != HISTORY) {
        let found = judge.judge(page)?;
        n_snippets += found.n_snippets;
        wrong.extend(found.wrong);
    }
    none("blocks and commands that are wrong", &wrong)?;
    println!("{n_snippets} blocks and commands are taken");
    Ok(())
}

fn none(what: &str, found: &[String]) -> Result<(), Failure> {
    match found {
        [] => Ok(()),
        found => Err(format!("{what}:\n  {}", found.join("\n  ")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_the_summary_does_not_name_is_left_out() {
        let page = |path: &str, text: &str| Page {
            path: path.into(),
            text: text.into(),
        };
        let mut pages = vec![
            page("README.md", ""),
            page("docs/SUMMARY.md", "- [A](a.md)\n  - [B](b/b.md)\n"),
            page("docs/a.md", ""),
            page("docs/b/b.md", ""),
            page("docs/b.md", ""),
        ];
        assert_eq!(left_out(&pages).unwrap(), ["docs/b.md"]);
        pages.remove(1);
        assert!(left_out(&pages).is_err());
    }
}

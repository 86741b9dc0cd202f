//! The pages of the repository.

use std::fs;
use std::io;
use std::path::Path;

/// A page, with its path from the root.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) path: String,
    pub(super) text: String,
}

impl Page {
    /// All of `docs/`, what lies at the top, and every `README.md`.
    ///
    /// # Errors
    ///
    /// A folder or a page cannot be read.
    pub(super) fn all(root: &Path) -> io::Result<Vec<Self>> {
        let mut paths = Vec::new();
        collect(root, "", &mut paths)?;
        paths.sort();
        paths.iter().map(|path| Self::read(root, path)).collect()
    }

    /// # Errors
    ///
    /// It cannot be read.
    pub(super) fn read(root: &Path, path: &str) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            text: fs::read_to_string(root.join(path))?,
        })
    }
}

fn collect(root: &Path, folder: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = match folder {
            "" => name.clone(),
            folder => format!("{folder}/{name}"),
        };
        if entry.file_type()?.is_dir() {
            let is_made = name.starts_with("target") || name == "node_modules";
            if !is_made && !name.starts_with('.') {
                collect(root, &path, paths)?;
            }
        } else if is_page(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_page(path: &str) -> bool {
    let is_at_its_place =
        path.starts_with("docs/") || !path.contains('/') || path.ends_with("/README.md");
    path.ends_with(".md") && is_at_its_place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_where_they_belong() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "README.md",
            "docs/b/c.md",
            "docs/b/c.svg",
            "crates/a/README.md",
            "crates/a/src/text.md",
            "target/docs/README.md",
            ".git/README.md",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
        }
        let pages = Page::all(root.path()).unwrap();
        let paths: Vec<&str> = pages.iter().map(|page| &*page.path).collect();
        assert_eq!(paths, ["README.md", "crates/a/README.md", "docs/b/c.md"]);
        assert_eq!(pages[0].text, "text");
    }
}

//! Packs the scripts of the pages for people, which a crate of the registry brings, so that they are part of the
//! binary and small in it. Does nothing without the feature `pages`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "pages")]
    pages::pack();
}

#[cfg(feature = "pages")]
mod pages {
    use std::io::Write as _;
    use std::path::Path;

    use aide::redoc::Redoc;
    use aide::swagger::Swagger;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    /// The page of ReDoc shows this picture, from another host.
    const LOGO: &str = "https://cdn.redoc.ly/redoc/logo-mini.svg";

    /// Nothing, as a picture.
    const NO_LOGO: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E";

    /// What makes some of its styles has no nonce until they are made.
    const NO_NONCE: &str = ",r.nc=void 0;";
    const NONCE: &str = ",r.nc=document.currentScript.nonce;";

    pub(crate) fn pack() {
        // The crate hands out whole pages with everything inline.
        let swagger = Swagger::new("").html();
        write("swagger-ui.css", between(&swagger, "<style>", "</style>"));
        let script = between(&swagger, "<script>", "</script>\n<!-- ");
        write("swagger-ui.js", script);
        let redoc = Redoc::new("").html();
        let script = between(&redoc, "<script>", "Redoc.init(\"\"");
        let script = with(script, LOGO, NO_LOGO);
        write("redoc-bundle.js", &with(&script, NO_NONCE, NONCE));
    }

    fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
        let inside = page.split_once(before);
        let inside = inside.and_then(|(_, rest)| rest.rsplit_once(after));
        inside.expect("the page has changed").0
    }

    fn with(script: &str, old: &str, new: &str) -> String {
        assert_eq!(script.matches(old).count(), 1, "{old} has moved");
        script.replace(old, new)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the environment tells a build script where to write"
    )]
    fn write(name: &str, text: &str) {
        let folder = std::env::var("OUT_DIR").expect("Cargo sets it");
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(text.as_bytes()).expect("memory takes it");
        let packed = packed.finish().expect("memory takes it");
        let path = Path::new(&folder).join(format!("{name}.gz"));
        std::fs::write(path, packed).expect("the folder is there");
    }
}

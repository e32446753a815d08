//! Makes a compiled page loadable by browsers: `bind PAGE.wasm FOLDER`.

use wasm_bindgen_cli_support::Bindgen;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [page, folder] = &arguments[..] else {
        eprintln!("usage: bind PAGE.wasm FOLDER");
        std::process::exit(2);
    };
    let bound = Bindgen::new()
        .input_path(page)
        .web(true)
        .and_then(|bindgen| bindgen.typescript(false).generate(folder));
    if let Err(error) = bound {
        eprintln!("{error:?}");
        std::process::exit(1);
    }
}

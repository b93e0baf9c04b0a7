"""From a picture to the bytes of a file: DOT, SVG, TikZ, Mermaid, a page; PNG and PDF by Graphviz in a process of its own."""

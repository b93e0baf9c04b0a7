"""The house rules as tests: which file may import what, and what importing the package costs."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from each import each

import autograd_seq
import viz

PACKAGE = Path(autograd_seq.__file__).parent
VIZ = Path(viz.__file__).parent

# The rooms: each imports only from those above it in this list.
FLOORS = [
    "core", "ops", "graph", "grad", "sequences", "plan", "emit", "run", "extend", "linalg", "nn", "analyse", "learn", "bench",
    "exchange",
    "datasets",
]  # fmt: skip
CORE = [
    "names", "errors", "sites", "hints", "kinds", "notebook", "axes", "facts", "native_text", "functions", "misfit", "rules",
    "op", "operators", "node", "copies",
]  # fmt: skip
"""The files of the first room, each with only those above it."""
RANK = {name: i for i, name in enumerate(FLOORS)}
FORBIDDEN = {  # though they lie above
    "grad": {"emit"}, "plan": {"emit"}, "nn": {"emit", "learn", "run"},
    "datasets": set(RANK) - {"core", "datasets"},
}  # fmt: skip
TOP_FOLDER = "autograd_seq.applications"
"""Its files may see the whole package too: they read as a user's."""
TOP = {  # may see the whole package
    "autograd_seq", "autograd_seq.__main__", "autograd_seq.cli", "autograd_seq.demo", "autograd_seq.doctor",
    "autograd_seq.user_graph", "autograd_seq.user_data", "autograd_seq.user_training", "autograd_seq.user_sample",
    "autograd_seq.arguments",
}  # fmt: skip
OPTIONAL = {  # inside functions, and only there
    "networkx": {"autograd_seq.graph.order", "autograd_seq.graph.graph", "viz.layout.rows"},
    "PIL": {"viz.animation"},
    "pygraphviz": {"viz.render.worker", "viz.render.files"}, "graphviz": {"viz.render.worker", "viz.render.files"},
    "numba": {"autograd_seq.emit.native.numba", "autograd_seq.emit.native.llvm", "autograd_seq.emit.native.body",
              "autograd_seq.emit.native.module", "autograd_seq.emit.native.block", "autograd_seq.emit.native.blas"},
    "llvmlite": {"autograd_seq.emit.native.numba", "autograd_seq.emit.native.module", "autograd_seq.emit.native.llvm",
                 "autograd_seq.emit.native.block", "autograd_seq.emit.native.blas"},
    "jax": {"autograd_seq.emit.jax", "autograd_seq.exchange.jax"},
    "onnx": {"autograd_seq.exchange.onnx"}, "torch": set(), "autograd": set(), "pytensor": set(),
    "threadpoolctl": {"autograd_seq.doctor"}, "sklearn": {"autograd_seq.analyse.slow_features"},
    "ale_py": {"autograd_seq.applications.pong"}, "imageio_ffmpeg": {"autograd_seq.applications.video"},
    "tensorboard": {"autograd_seq.learn.tensorboard"}, "scipy": set(),
}  # fmt: skip


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent if PACKAGE in path.parents else VIZ.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(p): p for root in (PACKAGE, VIZ) for p in sorted(root.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def imports(module: str) -> Iterator[tuple[str, int, bool, bool]]:
    """Yield (what is imported, line, whether inside a function, whether it runs) for each import of a file."""

    def walk(node: ast.AST, inside: bool, runs: bool) -> Iterator[tuple[str, int, bool, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((a.name, child.lineno, inside, runs) for a in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{module}:{child.lineno} imports relatively"
                for a in child.names:
                    whole = f"{child.module}.{a.name}"
                    yield whole if whole in FILES else str(child.module), child.lineno, inside, runs
            elif isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
                yield from walk(child, inside, False)
            else:
                function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from walk(child, inside or function, runs)

    yield from walk(TREES[module], False, True)


def floor(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


OURS = sorted(m for m in FILES if m.startswith("autograd_seq"))


@each("module", OURS)
def test_a_file_imports_only_from_floors_above_it(module: str) -> None:
    if module in TOP or module.startswith(TOP_FOLDER):
        return
    assert floor(module) in RANK, f"{module} has no floor: say in the table where it belongs"
    for what, line, _, runs in imports(module):
        if not runs or what.split(".")[0] != "autograd_seq":
            continue
        assert what != "autograd_seq", f"{module}:{line} imports the whole package"
        assert what not in TOP and not what.startswith(TOP_FOLDER), f"{module}:{line} imports {what}"
        assert RANK[floor(what)] <= RANK[floor(module)], f"{module}:{line} imports {what}, a floor below it"
        assert floor(what) not in FORBIDDEN.get(floor(module), set()), f"{module}:{line} imports {what}"


@each("module", [m for m in OURS if floor(m) == "core" and m != "autograd_seq.core"])
def test_the_first_room_is_in_order(module: str) -> None:
    own = module.split(".")[2]
    for what, line, _, runs in imports(module):
        if runs and what.startswith("autograd_seq.core."):
            assert CORE.index(what.split(".")[2]) < CORE.index(own), f"{module}:{line} imports {what}"


@each("module", OURS)
def test_the_package_does_not_import_viz_but_the_command_line(module: str) -> None:
    seen = {what.split(".")[0] for what, *_ in imports(module)}
    assert "viz" not in seen or module == "autograd_seq.cli"


@each("module", sorted(m for m in FILES if m.split(".")[0] == "viz"))
def test_viz_reads_nodes_graphs_and_schedules_only(module: str) -> None:
    allowed = tuple(f"autograd_seq.{name}" for name in ("core", "ops", "graph", "plan.schedule", "plan.report"))
    if module in ("viz.gradient_norms", "viz.page_values"):  # those that compute what is drawn
        allowed += ("autograd_seq.grad", "autograd_seq.run")
    for what, line, _, runs in imports(module):
        if runs and what.split(".")[0] == "autograd_seq":
            assert any(what == a or what.startswith(a + ".") for a in allowed), f"{module}:{line} imports {what}"


@each("module", sorted(FILES))
def test_imports_stand_at_the_top_of_the_file(module: str) -> None:
    for what, line, inside, _ in imports(module):
        if inside:
            assert module in OPTIONAL.get(what.split(".")[0], set()), f"{module}:{line} imports {what} in a function"


@each("module", sorted(FILES))
def test_slow_and_optional_packages_are_imported_in_their_one_place(module: str) -> None:
    for what, line, inside, runs in imports(module):
        root = what.split(".")[0]
        if root == "matplotlib":
            assert module == "viz.plots.figure", f"{module}:{line}"
        if root in OPTIONAL and runs:
            assert inside and module in OPTIONAL[root], f"{module}:{line} imports {root}"
    if module == "autograd_seq.graph.graph":
        users = [f.name for f in ast.walk(TREES[module]) if isinstance(f, ast.FunctionDef)
                 and any(isinstance(n, ast.Import) and n.names[0].name == "networkx" for n in ast.walk(f))]  # fmt: skip
        assert users == ["to_networkx"]


@each("module", sorted(FILES))
def test_no_star_imports_and_no_drawer_for_odds_and_ends(module: str) -> None:
    assert module.rsplit(".", 1)[-1] not in ("utils", "util", "helpers", "misc", "common")
    for node in ast.walk(TREES[module]):
        assert not (isinstance(node, ast.ImportFrom) and node.names[0].name == "*"), f"{module}:{node.lineno}"


def test_no_import_cycles() -> None:
    # nor one of imports for type checkers alone, but that an operation returns a node, which has an operation
    reads = {m: sorted({w for w, *_ in imports(m) if w in FILES and w != m}) for m in FILES}
    reads["autograd_seq.core.op"].remove("autograd_seq.core.node")
    # what sees the whole package is read by nobody below it (held above), but __init__ files are no floor of their own
    state: dict[str, int] = {}

    def visit(module: str, path: list[str]) -> None:
        if state.get(module) == 2:
            return
        assert state.get(module) != 1, "import cycle: " + " → ".join([*path[path.index(module) :], module])
        state[module] = 1
        for other in reads[module]:
            visit(other, [*path, module])
        state[module] = 2

    for module in reads:
        visit(module, [])


def test_tests_use_no_private_names() -> None:
    """So that the inside of a file may be moved and renamed; what tests break, they break by ``tests/support/sabotage.py``."""
    elsewhere = ("_replace", "_exit", "_compiled_object", "_run_child")  # of named tuples, os, numba and viz
    found = []
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ""
            if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                name = node.attr
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
                name = next((str(a.value) for a in node.args if isinstance(a, ast.Constant)), "").rsplit(".", 1)[-1]
            if name.startswith("_") and not name.endswith("_") and name not in elsewhere:
                found.append(f"{path.name}:{node.lineno}: {name}")
    assert not found, found


def _python(code: str) -> str:
    path = os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True,
                         text=True, check=True, timeout=60)  # fmt: skip
    return run.stdout


def test_importing_the_package_loads_no_slow_or_optional_package() -> None:
    out = _python("import sys, autograd_seq; print(*sorted({m.split('.')[0] for m in sys.modules}))").split()
    assert "numpy" in out
    strangers = {"networkx", "matplotlib", "viz", "tqdm", "scipy", "torch", *OPTIONAL}
    assert strangers & set(out) == set()

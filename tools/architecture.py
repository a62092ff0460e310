"""Which rules of ARCHITECTURE.md does a module break? For tests/test_architecture.py; reads source, runs nothing."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

# What each layer may import of streamcheck; the longest name that a module lies within is its layer. An adapter may
# import its own folder as well.
LAYERS: dict[str, tuple[str, ...]] = {
    "streamcheck": ("streamcheck.library",),
    "streamcheck.__main__": ("streamcheck.cli",),
    "streamcheck.adapters": (
        "streamcheck.runtime.notices",
        "streamcheck.runtime.ports",
        "streamcheck.runtime.schemas",
        "streamcheck.runtime.telemetry",
        "streamcheck.core",
    ),
    "streamcheck.cli": ("streamcheck",),
    "streamcheck.config": ("streamcheck.config", "streamcheck.core"),
    "streamcheck.core": ("streamcheck.core",),
    "streamcheck.errors": (),
    "streamcheck.library": ("streamcheck",),
    "streamcheck.contracts": ("streamcheck.contracts", "streamcheck.core"),
    "streamcheck.pytest_plugin": ("streamcheck.cli", "streamcheck.config"),
    "streamcheck.report": ("streamcheck.report", "streamcheck.core"),
    "streamcheck.runtime": ("streamcheck.runtime", "streamcheck.core", "streamcheck.config"),
    "streamcheck.testing": ("streamcheck.testing", "streamcheck.runtime", "streamcheck.core"),
}
KNOWN_TO_ALL = ("streamcheck.errors", "streamcheck.__version__")

# Libraries with one home each.
HOMES = {
    "click": "streamcheck.cli",
    "fastavro": "streamcheck.runtime.decode",
    "google": "streamcheck.runtime.decode",
    "kafka": "streamcheck.adapters.kafka",
    "plotly": "streamcheck.report",
    "prometheus_client": "streamcheck.adapters.prometheus",
    "pyarrow": "streamcheck.adapters.files",
    "pydantic": "streamcheck.config",
    "rich": "streamcheck.cli",
    "river": "streamcheck.core.detectors",
    "sqlite3": "streamcheck.adapters.sqlite",
    "yaml": "streamcheck.config",
}


def words(text: str) -> frozenset[str]:
    """The words of a list written as prose."""
    return frozenset(text.split())


NOT_ANYWHERE = words("_pickle cloudpickle copyreg dill joblib marshal pickle shelve")
NOT_IMPORTED_IN_CORE = words(
    """asyncio concurrent fcntl getpass glob http io logging mmap multiprocessing os pathlib platform queue requests
    resource sched secrets select selectors shutil signal socket socketserver ssl subprocess tempfile threading time
    urllib uuid"""
)
NOT_CALLED_IN_CORE = words("breakpoint eval exec hash input open print")
CLOCK_READERS = words("datetime.now datetime.today datetime.utcnow date.today")
TAKES_SEED = words("PCG64 PCG64DXSM Philox Random SeedSequence default_rng")
SEEDED = TAKES_SEED | words("BitGenerator Generator")

SET_TYPES = words("set frozenset Set AbstractSet MutableSet")
SET_METHODS = words("difference intersection symmetric_difference union")
ORDER_FREE = words("Counter all any frozenset len max min set sorted")
ORDERED = words("dict.fromkeys enumerate iter list map math.fsum next np.fromiter sum tuple zip")

Finding = tuple[int, str]


def violations(path: str, source: str) -> list[str]:
    """Every broken rule as `path:line: message`; `path` is relative to the root of the project, with slashes."""
    tree = ast.parse(source)
    parts = PurePosixPath(path).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    found = list(sizes(tree, source))
    if within(module, "streamcheck"):
        found += imports(tree, module, parts)
        found += pickles(tree)
    if within(module, "streamcheck.core"):
        found += impurities(tree)
        found += set_iterations(tree)
    return [f"{path}:{line}: {message}" for line, message in sorted(set(found))]


def within(module: str, package: str) -> bool:
    """Whether a dotted name is the package or lies inside it."""
    return module == package or module.startswith(package + ".")


def sizes(tree: ast.Module, source: str) -> Iterator[Finding]:
    """A function fits on a screen, a file in a sitting."""
    if (lines := len(source.splitlines())) > FILE_LINES_MAX:
        yield 1, f"the file has {lines} lines, at most {FILE_LINES_MAX}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"


def imports(tree: ast.Module, module: str, parts: tuple[str, ...]) -> Iterator[Finding]:
    """Layers, homes of libraries, and what may be imported nowhere."""
    lazy = descendants(tree, ast.FunctionDef) | {n for guard in type_checking(tree) for n in ast.walk(guard)}
    for node, target in imported(tree, parts):
        top = target.split(".")[0]
        home = HOMES.get(top)
        if top in NOT_ANYWHERE:
            yield node.lineno, f"streamcheck may not import {top}: state is typed bytes, never pickled objects"
        elif top == "streamcheck":
            yield from ((node.lineno, message) for message in crossing(module, target))
        elif within(module, "streamcheck.core") and top in NOT_IMPORTED_IN_CORE:
            yield node.lineno, f"core may not import {top}"
        elif home and not within(module, home):
            yield node.lineno, f"{module} may not import {top}: its home is {home}"
        elif top == "river" and node not in lazy:
            yield node.lineno, "river is imported inside functions only: it takes 0.7 s to load"


def imported(tree: ast.Module, parts: tuple[str, ...]) -> Iterator[tuple[ast.stmt, str]]:
    """Every import as a dotted name: `from a import b` as a.b, relative ones resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level] if node.level else ()
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node, f"{origin}.{alias.name}") for alias in node.names)


def crossing(module: str, target: str) -> Iterator[str]:
    """Whether an import goes against the arrows between layers."""
    if target == "streamcheck" or any(within(target, known) for known in KNOWN_TO_ALL):
        return
    layer = max((known for known in LAYERS if within(module, known)), key=len)
    allowed = LAYERS[layer]
    if layer == "streamcheck.adapters":
        allowed = (*allowed, ".".join(module.split(".")[:3]))
    if not any(within(target, package) for package in allowed):
        knows = ", ".join(allowed) or "no other module"
        yield f"{layer.removeprefix('streamcheck.')} may not import {target}; it may know {knows}"


def pickles(tree: ast.Module) -> Iterator[Finding]:
    """The way to unpickle through numpy."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            yield node.value.lineno, "streamcheck may not use allow_pickle"


def impurities(tree: ast.Module) -> Iterator[Finding]:
    """Clock, files, unseeded randomness, `hash` (it differs between processes)."""
    for statement, target in imported(tree, ("streamcheck", "core", "x")):
        if target.startswith(("random.", "numpy.random.")) and target.split(".")[-1] not in SEEDED:
            yield statement.lineno, f"core may not import {target}: only seeded generators"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in NOT_CALLED_IN_CORE:
                yield node.lineno, f"core may not call {called}()"
            if called.split(".")[-1] in TAKES_SEED and not (node.args or node.keywords):
                yield node.lineno, f"core may not call {called}() without a seed"
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if ".".join(name.split(".")[-2:]) in CLOCK_READERS:
                yield node.lineno, f"core may not read the clock: {name}"
            if re.fullmatch(r"((np|numpy)\.)?random\.\w+", name) and node.attr not in SEEDED:
                yield node.lineno, f"core may not use {name}: only seeded generators"


def set_iterations(tree: ast.Module) -> Iterator[Finding]:
    """Iteration over sets, whose order differs between processes: literals, set(), names seen to hold one."""
    fields = field_sets(tree)
    for scope in [tree, *(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))]:
        sets = fields | set_names(scope)
        nodes = list(own_nodes(scope))
        calls = [n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) in ORDER_FREE]
        order_free = {argument for call in calls for argument in call.args}
        for node in nodes:
            for iterated in [] if node in order_free else iterables(node):
                if is_set(iterated, sets):
                    yield iterated.lineno, f"core may not iterate over a set ({ast.unparse(iterated)}): sort it first"


def field_sets(tree: ast.Module) -> set[str]:
    """Attributes declared or assigned as sets in any class of the module, as `self.name`."""
    found: set[str] = set()
    for outer in ast.walk(tree):
        if isinstance(outer, ast.ClassDef):
            found |= {f"self.{name}" for name in set_names(outer)}
        elif isinstance(outer, ast.FunctionDef):
            found |= {name for name in set_names(outer) if name.startswith("self.")}
    return found


def set_names(scope: ast.AST) -> set[str]:
    """Names that a scope binds or annotates as sets."""
    names: set[str] = set()
    for node in own_nodes(scope):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            named = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
            if re.split(r"\W", ast.unparse(node.annotation).strip("'\""), maxsplit=1)[0] in SET_TYPES:
                names.add(named)
        elif isinstance(node, ast.Assign) and is_set(node.value, names):
            names.update(ast.unparse(target) for target in node.targets)
    return names


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope in source order, without the bodies of functions inside it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from own_nodes(child)


def is_set(node: ast.expr, sets: set[str]) -> bool:
    """Whether an expression is a set, as far as the module itself tells."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in SET_METHODS and is_set(node.func.value, sets)
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("set", "frozenset")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
        return any(is_set(side, sets) or ast.unparse(side).endswith(".keys()") for side in (node.left, node.right))
    return isinstance(node, ast.Set | ast.SetComp) or ast.unparse(node) in sets


def iterables(node: ast.AST) -> list[ast.expr]:
    """What a node iterates over so that the order shows in its result."""
    if isinstance(node, ast.For):
        return [node.iter]
    if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
        return [generator.iter for generator in node.generators]
    if isinstance(node, ast.Starred):
        return [node.value]
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called in ORDERED or called.endswith((".join", ".extend")):
            return list(node.args)
    return []


def descendants(tree: ast.AST, kind: type[ast.AST]) -> set[ast.AST]:
    """All nodes inside nodes of one kind."""
    return {inner for outer in ast.walk(tree) if isinstance(outer, kind) for inner in ast.walk(outer)}


def type_checking(tree: ast.AST) -> list[ast.If]:
    """Blocks that only type checkers read."""
    return [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test).endswith("TYPE_CHECKING")]

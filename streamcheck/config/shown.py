"""Which part of a config may others see? All but connections: passwords stand there, if anywhere."""

import yaml

CONNECTIONS = ("kafka", "notify")


def without_connection(text: str) -> str:
    r"""The config as written, comments and `${NAME}` too, with an ellipsis for `kafka` and `notify`.

    >>> print(without_connection("name: a\nkafka:\n  sasl_plain_password: hush\nstart: latest\n"), end="")
    name: a
    kafka: …
    start: latest
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return text
    for key, value in reversed(root.value):
        if key.value in CONNECTIONS:
            rest = text[value.end_mark.index :]
            text = f"{text[: key.end_mark.index]}: …{'' if rest.startswith((chr(10), ',', '}')) else chr(10)}{rest}"
    return text

"""Tools that take plain text, put to dialects whose tools take JSON, and their calls turned back."""

import json

import pytest
from hypothesis import given

from relay.adapters.dialects.freeform import as_function, as_json, format_losses, text_of
from relay.domain.chat import ChatRequest, ToolCall, ToolSpec
from tests.support.strategies.texts import texts

GRAMMAR = ToolSpec(name="patch", description="d", freeform=True, format='{"type":"grammar"}')


def test_a_tool_of_text_becomes_a_function_of_one_text() -> None:
    function = as_function(GRAMMAR)
    assert (function.name, function.description, function.freeform, function.format) == (
        "patch",
        "d",
        False,
        "",
    )
    assert list(json.loads(function.parameters)["properties"]) == ["input"]
    plain = ToolSpec(name="f", parameters='{"type":"object"}')
    assert as_function(plain) is plain


def test_a_grammar_is_a_loss() -> None:
    tools = (GRAMMAR, ToolSpec(name="f"), ToolSpec(name="g", freeform=True))
    assert list(format_losses(ChatRequest(model="m", messages=(), tools=tools))) == ["tools.format"]


@pytest.mark.law
@given(texts())
def test_any_text_comes_back_out_of_its_arguments(text: str) -> None:
    call = as_json(ToolCall(id="c", name="f", arguments=text, freeform=True))
    assert json.loads(call.arguments) == {"input": text}
    assert (text_of(call.arguments), call.freeform) == (text, False)


@pytest.mark.parametrize("arguments", ["", "*** Begin Patch", '{"other":1}', '{"input":7}', "[]"])
def test_what_a_model_wrote_in_another_form_is_taken_as_it_is(arguments: str) -> None:
    assert text_of(arguments) == arguments

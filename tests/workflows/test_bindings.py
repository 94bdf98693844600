"""Steps whose options decide what they read and return, and contracts that graphs name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.trial.stages import ENTRIES, First, Order, Second, Third
from workflows import registry
from workflows.contracts import Binding, Bound, BoundInput, Contract, StepOptions
from workflows.errors import ContractError
from workflows.graphs import prove_graph
from workflows.models import Status
from workflows.registry import code_version, get_contract, register_contract, step
from workflows.testing import assert_replay_safe, run_graph


class EchoOptions(StepOptions):
    """What is read and said again."""

    reads: str
    provides: str = "Second"
    perhaps: str = ""
    refused: bool = False


class Echoed(Contract):
    """A contract that no step's annotations name."""

    said: str


def bind(options: EchoOptions) -> Binding:
    if options.refused:
        raise ContractError("refused", "was ordered")
    inputs = {"first": BoundInput(get_contract(options.reads), "reads")}
    if options.perhaps:
        asked = get_contract(options.perhaps)
        inputs["perhaps"] = BoundInput(asked, "perhaps", is_required=False)
    return Binding(inputs=inputs, output=get_contract(options.provides))


def judge(options: EchoOptions) -> None:
    if options.reads == "Order":
        raise ContractError("reads", "not today")


@pytest.fixture(autouse=True)
def echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register a step that says again what it reads, and forget it after the test."""
    monkeypatch.setattr(registry, "_steps", dict(registry._steps))
    monkeypatch.setattr(registry, "_contracts", {Echoed})

    @step("echo", binds=bind, judge=judge)
    def echo(order: Order, options: EchoOptions, bound: Bound) -> Contract:
        heard = [getattr(each, "said", "") for each in bound.inputs.values()]
        return bound.output.model_validate({"said": "+".join(heard)})

    yield
    code_version.cache_clear()


def entry(reads: str = "First", *, name: str = "echo", **options: object) -> dict[str, Any]:
    return {"step": "echo", "name": name, "options": {"reads": reads} | options}


def test_a_step_reads_and_returns_what_its_options_name() -> None:
    plan = prove_graph([ENTRIES[0], entry(), ENTRIES[2]], workflow="trial")
    _, echo, third = plan.step_entries

    assert (echo.inputs, echo.output) == ({"order": Order, "first": First}, Second)
    assert echo.wiring == {"order": None, "first": 0}
    assert echo.bound_inputs == ("first",)
    assert (third.inputs, third.output) == ({"order": Order, "said": Second}, Third)
    assert third.wiring["said"] == 1


def test_an_optional_input_is_read_from_an_entry_that_provides_it_and_else_missing() -> None:
    both = [ENTRIES[0], ENTRIES[1], entry(perhaps="Second", provides="Echoed")]
    alone = [ENTRIES[0], entry(perhaps="Second", provides="Echoed")]

    assert prove_graph(both, workflow="trial").step_entries[2].wiring["perhaps"] == 1
    assert "perhaps" not in prove_graph(alone, workflow="trial").step_entries[1].inputs


@pytest.mark.django_db(transaction=True)
def test_the_runner_hands_it_what_it_asked_for_and_records_what_it_returns(
    tmp_path: Path,
) -> None:
    echo = entry(perhaps="Second", provides="Echoed")
    entries = [*ENTRIES[:2], echo, entry("Echoed", name="again")]
    envelope = {"marks": str(tmp_path / "marks"), "characters": 2}

    ran = run_graph(entries, workflow="trial", envelope=envelope)

    assert ran.status == Status.COMPLETE, ran.error
    assert ran.records["echo"] == {"said": "xx+xx"}
    assert ran.records["again"] == {"said": "xx+xx"}


@pytest.mark.parametrize(
    ("entries", "path", "words"),
    [
        ([entry()], "entries[0].options.reads",
         "takes First, which no earlier entry returns; put a step before it that does: "
         "trial_first"),
        ([entry(), ENTRIES[0]], "entries[0].options.reads",
         "entries[1] (trial_first) returns it: move it before this one"),
        ([ENTRIES[1], ENTRIES[0]], "entries[0].said",
         "entries[1] (trial_first) returns it: move it before this one"),
        ([ENTRIES[2], entry()], "entries[0].said", "entries[1] (echo) returns it: move it before"),
        ([entry("Echoed")], "entries[0].options.reads", "no registered step does"),
        ([ENTRIES[0], entry(refused=True)], "entries[1].options.refused", "was ordered"),
        ([entry("Order")], "entries[0].options.reads", "not today"),
    ],
)  # fmt: skip
def test_what_would_provide_an_input_is_said_where_it_was_asked_for(
    entries: list[dict[str, Any]], path: str, words: str
) -> None:
    with pytest.raises(ContractError) as refused:
        prove_graph(entries, workflow="trial")

    assert refused.value.path == path
    assert words in refused.value.message


def test_a_later_entry_that_is_broken_itself_is_no_remedy() -> None:
    broken: list[dict[str, Any]] = [{"step": "echo"}, {"step": "nowhere"}, {"step": 5}, {}]
    with pytest.raises(ContractError, match="put a step before it that does: trial_first"):
        prove_graph([entry(), *broken], workflow="trial")


def test_a_bound_step_takes_its_inputs_from_what_a_replay_is_given() -> None:
    order = Order(marks="")
    given = (order, First(said="a"), EchoOptions(reads="First"))

    assert assert_replay_safe("echo", *given, snapshot=list) == Second(said="a")
    with pytest.raises(TypeError, match="echo takes a First, which is not among"):
        assert_replay_safe("echo", order, given[2], snapshot=list)


def test_a_contract_is_found_by_the_name_that_graphs_give_it() -> None:
    assert [get_contract(name) for name in ("First", "Order", "Echoed")] == [First, Order, Echoed]
    with pytest.raises(ContractError, match=r"no contract has this name; there are .*Echoed, "):
        get_contract("Contract")


def test_two_contracts_of_one_name_are_neither_meant() -> None:
    register_contract(type("First", (Contract,), {"__module__": "elsewhere"}))
    with pytest.raises(ContractError, match=r"elsewhere and tests\.trial\.stages both have a cont"):
        get_contract("First")


def test_another_field_of_a_named_contract_is_another_code_version() -> None:
    before = code_version()
    register_contract(type("Third2", (Contract,), {"__annotations__": {"said": int}}))
    assert code_version() != before


def test_binds_and_bound_go_together() -> None:
    def unbound(options: EchoOptions) -> Contract:
        raise NotImplementedError

    def bound(options: EchoOptions, bound: Bound) -> Contract:
        raise NotImplementedError

    for function, binds in ((unbound, bind), (bound, None)):
        with pytest.raises(ContractError, match="has StepOptions and a Bound"):
            step("half", binds=binds)(function)
    assert "half" not in registry._steps

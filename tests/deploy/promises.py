"""What every proxy in front of a model keeps, however it is told of decisions."""

from tests.deploy.front import BAD_ADDRESS, Front


class Promises:
    """Each test proves one thing; the subclass says which proxy, with a fixture `front`."""

    def test_an_ordinary_query_reaches_the_model(self, front: Front) -> None:
        """Body and path arrive, and the client's name from us, not what the client claims; shadow enforces nothing."""
        told = front.ask("honest", body='{"instances":[1]}').json()
        assert (told["path"], told["body"]) == ("/v1/models/digits:predict", '{"instances":[1]}')
        assert told["headers"]["x-gamekeeper-client"] == "honest"
        assert told["headers"]["x-gamekeeper-action"] == "allow"

    def test_a_block_is_403_and_never_reaches_the_model(self, front: Front) -> None:
        """The model is not asked."""
        assert front.ask("thief", body="stolen").status_code == 403
        assert "stolen" not in front.model.received

    def test_a_throttle_is_429_with_retry_after(self, front: Front) -> None:
        """Some queries pass, marked; then none for a while."""
        answers = [front.ask("slow") for _ in range(12)]
        assert [one.status_code for one in answers][:2] == [200, 200]
        assert answers[0].json()["headers"]["x-gamekeeper-action"] == "throttle"
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) > 0

    def test_perturb_is_told_to_the_model(self, front: Front) -> None:
        """The model server makes the answer coarser."""
        assert front.ask("coarse").json()["headers"]["x-gamekeeper-action"] == "perturb"

    def test_an_address_is_blocked(self, front: Front) -> None:
        """Whoever asks from there."""
        assert front.ask("honest", address=BAD_ADDRESS).status_code == 403


class Checked(Promises):
    """Of proxies that ask us about each query."""

    def test_an_unknown_key_is_401(self, front: Front) -> None:
        """Who is not known does not pass."""
        assert front.ask("stranger").status_code == 401

    def test_while_the_api_is_away_queries_pass(self, alone: Front) -> None:
        """As the configuration says; and nobody speaks in our name then."""
        answer = alone.ask("thief", body="[2]")
        assert (answer.status_code, answer.json()["body"]) == (200, "[2]")
        assert "forged" not in answer.text

"""What SQLEntities inherit: fields from models without a table, tables from classes that share one, names of relations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import registry
from sqlmodel import Relationship, Session, SQLModel, select

from nitro import ConfigurationError, Field, SQLEntity, SQLModelBackend, ValueObject


class Base(SQLEntity, registry=registry()):
    pass


class Named(Base):
    name: str = Field(index=True)

    def shout(self) -> str:
        return self.name.upper()


class Company(Named, table=True):
    id: int | None = Field(None, primary_key=True)

    staff: list[Employee] = Relationship(back_populates="company")


class Employee(Named, table=True):
    """Several classes in one table, told apart by `kind`."""

    id: int | None = Field(None, primary_key=True)
    kind: str = "employee"
    company_id: int | None = Field(None, foreign_key="company.id")

    company: Optional[Company] = Relationship(back_populates="staff")  # noqa: UP045  (one way to write it)

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "employee"}


class Manager(Employee, table=True):
    level: int = Field(ge=1)

    __mapper_args__ = {"polymorphic_identity": "manager"}


class Engineer(Employee, table=True):
    """With a table of its own beside the common one."""

    id: int | None = Field(None, primary_key=True, foreign_key="employee.id")
    language: str

    __mapper_args__ = {"polymorphic_identity": "engineer"}


class Size(ValueObject):
    width: int


class Box(Base, table=True):
    width: int
    height: int

    @hybrid_property
    def area(self):
        return self.width * self.height


@pytest.fixture
def engine(tmp_path) -> Iterator[sa.Engine]:
    repository = SQLModelBackend(f"sqlite:///{tmp_path}/inherited.db")
    Base.__nitro_backend__ = repository
    Base.metadata.create_all(repository.database.engine)
    yield repository.database.engine
    Base.__nitro_backend__ = SQLModelBackend
    repository.database.close()


def test_fields_and_methods_come_from_a_model_without_a_table(engine):
    assert "named" not in Base.metadata.tables
    company = Company(name="tea").save()
    assert company.shout() == "TEA"
    assert Company.where(name="tea").one() == company
    with pytest.raises(ValidationError):
        Company(name=None)


def test_classes_share_a_table_or_have_one_beside_it(engine):
    assert set(Base.metadata.tables) == {"company", "employee", "engineer", "box"}
    assert Manager.__table__ is Employee.__table__
    assert Engineer.__table__.c.keys() == ["id", "language"]
    company = Company(
        name="tea", staff=[Employee(name="e"), Manager(name="m", level=2), Engineer(name="g", language="Rust")]
    )
    with Session(engine) as session:
        session.add(company)
        session.commit()
        everybody = session.exec(select(Employee).order_by(Employee.id)).all()
        assert [type(one) for one in everybody] == [Employee, Manager, Engineer]
        assert [one.kind for one in everybody] == ["employee", "manager", "engineer"]
        assert session.exec(select(Manager).where(Manager.level == 2)).one().name == "m"
        engineer = session.exec(select(Engineer)).one()
        engineer.language, engineer.name = "Python", "p"
        with pytest.raises(ValidationError):
            everybody[1].level = 0
        session.commit()
    with Session(engine) as session:
        loaded = session.exec(select(Employee).where(Employee.name == "p")).one()
        assert loaded.model_dump() == {
            "id": loaded.id,
            "name": "p",
            "kind": "engineer",
            "company_id": company.id,
            "language": "Python",
        }
        assert loaded.company.name == "tea"


def test_such_classes_are_left_to_sessions(engine):
    for entity_class in (Employee, Manager, Engineer):
        with pytest.raises(ConfigurationError, match=rf"{entity_class.__name__} shares tables .* with a Session"):
            entity_class.all()


def test_a_subclass_without_a_table_is_a_model_of_its_own(engine):
    class CompanyView(Company):
        rating: int = 5

    view = CompanyView(name="tea", rating="4")
    assert view.rating == 4
    assert repr(CompanyView.name) == "CompanyView.name"
    assert not hasattr(view, "_sa_instance_state")
    assert "companyview" not in Base.metadata.tables


def test_a_sqlmodel_gives_its_fields(engine):
    class Priced(SQLModel):
        price: float

    class Cup(Base, Priced, table=True):
        name: str

    assert Cup(name="x", price="3").price == 3.0
    with pytest.raises(ValidationError):
        Cup(name="x", price="much")


def test_hybrids_work_on_both_sides(engine):
    box = Box(width=2, height=3)
    assert box.area == 6
    with Session(engine) as session:
        session.add_all([box, Box(width=1, height=1)])
        session.commit()
        assert session.exec(select(Box).where(Box.area > 3)).one() is box
    assert Box.where(Box.area > 3).one() == box


def test_relations_may_be_written_as_text(engine):
    assert sa.inspect(Company).relationships["staff"].uselist
    assert not sa.inspect(Employee).relationships["company"].uselist


def test_two_classes_of_one_table_name_are_an_error():
    with pytest.raises(sa.exc.InvalidRequestError, match="already defined"):

        class Again(Base, table=True):
            __tablename__ = "box"
            name: str


def test_a_table_cannot_be_that_of_a_class_without_one():
    class Parcel(SQLEntity, table=True):
        __tablename__ = "inherited_parcel"
        name: str

    class Other(SQLEntity):
        __tablename__ = "inherited_parcel"
        name: str

    with pytest.raises(ConfigurationError, match=r"would be kept in the table 'inherited_parcel'"):
        Other(name="x").save()

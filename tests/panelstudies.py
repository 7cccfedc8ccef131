"""A small made-up panel for tests of reading: seven firms in two to four years each."""

#: A firm without a share in one year, one with a share of 0, decimals that differ.
ROWS = """\
firm,year,share,size,age,owner,stage,sector,count,weight,from,to
Ash,1999,12.5,10,3,own,low,food,4,1,10,25
Ash,2000,14,12,4,own,low,food,4,2,10,25
Ash,2001,15.0,30,5,foreign,mid,food,2,1,10,25
Bay,1999,0,5,7,own,low,tools,5,1,0,10
Bay,2001,2,6,9,own,mid,tools,5,1,0,10
Cob,1999,55,80,1,foreign,high,food,10,0,50,100
Cob,2000,60,90,2,foreign,high,food,10,1,50,100
Cob,2001,,95,3,foreign,high,food,10,1,,
Cob,2003,62.5,99,5,foreign,mid,food,10,2,50,100
Dog,2000,30,20,11,own,mid,tools,1,1,25,50
Dog,2001,35,22,12,foreign,mid,food,1,1,25,50
Elm,2000,8,15,2,own,low,tools,1,1,0,10
Elm,2003,9.5,9,5,own,high,tools,1,1,0,10
Fig,1999,45,40,6,foreign,high,tools,3,1,25,50
Fig,2000,47,45,7,own,high,tools,3,1,25,50
Gum,2003,20,25,9,own,low,food,3,1,10,25
"""

#: What holds for a firm in all of its years.
FIRMS = """\
name,country,founder
Ash,North,family
Bay,North,fund
Cob,South,fund
Dog,South,family
Elm,North,family
Fig,South,fund
Gum,North,fund
"""

PANEL = """\
[study]
name = "orchard"
title = "Seven made-up firms in up to four years"
model = "share"
source = "made up for tests"

[rows]
file = "rows.csv"
unit = "firm"
time = "year"

[outcome]
column = "share"
label = "Share abroad"
unit = "percent"
rounding_width = 0.5

[predictors.size]
kind = "numeric"
column = "size"
label = "Size"
transform = "log"
unit = "employees"

[predictors.owner]
kind = "contrast"
column = "owner"
label = "Owner"
low = "own"
high = "foreign"
"""

#: Every term that a panel may have.
TERMS = """
[predictors.age]
kind = "numeric"
column = "age"
curve = "quadratic"
at = [2, 5, 10]

[predictors.stage]
kind = "ordered"
column = "stage"
levels = ["low", "mid", "high"]

[predictors.year]
kind = "walk"
column = "year"

[predictors.founder]
kind = "category"
file = "firms.csv"
key = "name"
column = "founder"

[interactions.owner_size]
of = ["owner", "size"]

[groups.sector]
column = "sector"
slopes = ["owner", "owner_size"]
correlated = true

[groups.place]
file = "firms.csv"
key = "name"
column = "country"

[precision]
predictors = ["owner"]

[variants.plain]
kind = "terms"
drop = ["owner_size", "sector", "firm"]

[variants.older]
kind = "terms"
add = ["age"]
"""
